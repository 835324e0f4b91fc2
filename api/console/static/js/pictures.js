// The pictures of one review: fetched once, shown together, and let go of afterwards.

import * as api from "./api.js";
import { h, svg } from "./dom.js";
import { number } from "./format.js";
import { bind, t } from "./i18n.js";
import { button } from "./screen.js";

/** @import { Review } from "./types.js" */

const FEW_PIXELS = 50;

/** What a judge looks at. `ready` resolves once every picture is on the screen. */
export class Pictures {
  /** @param {Review} review */
  constructor(review) {
    /** @type {string[]} */
    this.addresses = [];
    /** @type {{image: HTMLImageElement, id: string}[]} */
    this.wanted = [];
    this.shownReference = 0;
    this.probe = this.#portrait("probe.title", [review.probe], "probe.alt");
    bind(this.probe.note, () => t("probe.size", { n: number(review.probe.face_size_px) }));
    if (review.probe.face_size_px < FEW_PIXELS) {
      this.probe.figure.append(bind(h("p", { class: "caution" }), () => t("probe.few_pixels")));
    }
    this.reference = this.#portrait("reference.title", review.references, "reference.alt");
    this.#describeReference(review.references.length);
    this.frame = this.#frame(review);
  }

  /** Fetches every picture and waits until each is decoded and can be seen. */
  async load() {
    await Promise.all(
      this.wanted.map(async ({ image, id }) => {
        const address = await api.picture(id);
        this.addresses.push(address);
        image.src = address;
        await image.decode();
        image.classList.add("seen");
      }),
    );
  }

  /** Lets go of the pictures. */
  release() {
    for (const address of this.addresses) URL.revokeObjectURL(address);
    this.addresses = [];
    for (const { image } of this.wanted) image.removeAttribute("src");
  }

  /** Shows the next reference of several. @param {number} step */
  turnReference(step) {
    const images = this.reference.images;
    if (images.length < 2) return;
    this.shownReference = (this.shownReference + step + images.length) % images.length;
    images.forEach((image, index) => image.classList.toggle("aside", index !== this.shownReference));
    this.#describeReference(images.length);
  }

  /** @param {number} count */
  #describeReference(count) {
    const shown = this.shownReference + 1;
    bind(this.reference.note, () =>
      count > 1 ? t("reference.of", { n: shown, of: count }) : t("reference.scale"),
    );
    if (count > 1 && !this.reference.figure.querySelector(".turn")) {
      this.reference.figure.append(
        h(
          "p",
          { class: "turn" },
          button("reference.previous", () => this.turnReference(-1), { shortcut: "←" }),
          button("reference.next", () => this.turnReference(1), { shortcut: "→" }),
        ),
      );
    }
  }

  /**
   * @param {string} titleKey
   * @param {import("./types.js").PictureRef[]} refs
   * @param {string} altKey
   */
  #portrait(titleKey, refs, altKey) {
    const images = refs.map((ref, index) => this.#image(ref, altKey, index > 0 ? "aside" : undefined));
    const note = h("p", { class: "note" });
    const figure = h(
      "figure",
      { class: "portrait" },
      h("figcaption", {}, bind(h("strong"), () => t(titleKey))),
      h("div", { class: "picture square" }, ...images),
      note,
    );
    return { figure, images, note };
  }

  /** @param {Review} review */
  #frame(review) {
    const { width, height, face_xyxy: box } = review.frame;
    const enlarged = h("dialog", { class: "enlarged" });
    bind(enlarged, () => t("frame.title"), "aria-label");
    const image = this.#image(review.frame, "frame.alt");
    const open = () => {
      const copy = h("img", { src: image.src, width, height });
      bind(copy, () => t("frame.alt"), "alt");
      const close = button("frame.close", () => enlarged.close(), { shortcut: "Esc" });
      enlarged.replaceChildren(h("div", { class: "picture" }, copy, outline(width, height, box)), close);
      enlarged.showModal();
    };
    const figure = h(
      "figure",
      { class: "frame" },
      h(
        "figcaption",
        {},
        bind(h("strong"), () => t("frame.title")),
        button("frame.enlarge", open, { className: "quiet enlarge", shortcut: "Z", ariaShortcuts: "Z" }),
      ),
      h("div", { class: "picture" }, image, outline(width, height, box)),
      bind(h("p", { class: "note" }), () => t("frame.redacted")),
      enlarged,
    );
    return { figure, open, enlarged };
  }

  /**
   * @param {import("./types.js").PictureRef} ref
   * @param {string} altKey
   * @param {string} [className]
   */
  #image(ref, altKey, className) {
    const image = h("img", { width: ref.width, height: ref.height, class: className, draggable: "false" });
    bind(image, () => t(altKey), "alt");
    this.wanted.push({ image, id: ref.evidence_id });
    return image;
  }
}

/**
 * A plain rectangle around the face, and nothing written on it.
 * @param {number} width
 * @param {number} height
 * @param {[number, number, number, number]} box
 */
function outline(width, height, [x0, y0, x1, y1]) {
  const place = { x: x0, y: y0, width: x1 - x0, height: y1 - y0, "vector-effect": "non-scaling-stroke" };
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "outline", "aria-hidden": "true", focusable: "false" },
    svg("rect", { ...place, class: "under" }),
    svg("rect", { ...place, class: "over" }),
  );
}
