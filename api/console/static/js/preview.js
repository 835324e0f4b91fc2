// What a camera sees now, in coarse blocks: asked for once a second while she looks, and the service writes it down.

import * as api from "./api.js";
import { h } from "./dom.js";
import { bind, t } from "./i18n.js";
import { button, errorKey } from "./screen.js";

const EVERY_MS = 1_000;

/** A camera's preview, shown when she asks for it. */
export class Preview {
  /** @param {string} cameraId */
  constructor(cameraId) {
    this.cameraId = cameraId;
    this.address = "";
    this.looking = false;
    this.image = h("img", { hidden: true, draggable: "false" });
    bind(this.image, () => t("preview.alt", { camera: cameraId }), "alt");
    this.note = h("p", { class: "note", role: "status" });
    this.toggle = button("preview.show", () => (this.looking ? this.stop() : this.start()));
    this.toggle.setAttribute("aria-pressed", "false");
    this.element = h(
      "figure",
      { class: "preview" },
      h("figcaption", {}, bind(h("strong"), () => t("preview.title"))),
      this.toggle,
      this.image,
      this.note,
    );
  }

  /** Begins to look. */
  start() {
    this.looking = true;
    this.toggle.setAttribute("aria-pressed", "true");
    bind(this.note, () => t("preview.waiting"));
    void this.#look();
  }

  /** Ends; nothing is asked for any more, and the worker stops making any. */
  stop() {
    this.looking = false;
    clearTimeout(this.timer);
    this.toggle.setAttribute("aria-pressed", "false");
    this.image.hidden = true;
    this.image.removeAttribute("src");
    this.note.textContent = "";
    this.#forget();
  }

  async #look() {
    try {
      const address = await api.preview(this.cameraId);
      if (!this.looking) {
        if (address) URL.revokeObjectURL(address);
        return;
      }
      this.#show(address);
    } catch (error) {
      if (!this.looking) return;
      bind(this.note, () => t(errorKey(error)));
    }
    this.timer = setTimeout(() => void this.#look(), EVERY_MS);
  }

  /** @param {string | null} address of a picture; null: there is none now */
  #show(address) {
    this.#forget();
    this.image.hidden = address === null;
    bind(this.note, () => t(address === null ? "preview.waiting" : "preview.coarse"));
    if (address === null) return;
    this.address = address;
    this.image.src = address;
  }

  #forget() {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = "";
  }
}
