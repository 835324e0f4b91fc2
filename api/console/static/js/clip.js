// The redacted clip around what was seen: fetched when she asks for it, let go of with the review.

import * as api from "./api.js";
import { h } from "./dom.js";
import { number } from "./format.js";
import { bind, t } from "./i18n.js";
import { button, errorKey } from "./screen.js";

/** @import { Review } from "./types.js" */

/** The clip of one review; a line in its place where there is none. */
export class Clip {
  /** @param {Review} review */
  constructor(review) {
    this.clip = review.clip;
    this.address = "";
    this.released = false;
    this.note = h("p", { class: "note", role: "status" });
    this.element = h(
      "figure",
      { class: "clip" },
      h("figcaption", {}, bind(h("strong"), () => t("clip.title"))),
      this.note,
    );
    const clip = this.clip;
    if (!clip) {
      bind(this.note, () => t("clip.none"));
      return;
    }
    bind(this.note, () => t("clip.length", { n: number(clip.duration_seconds, 1) }));
    this.start = button("clip.play", () => void this.play(), { shortcut: "P", ariaShortcuts: "P" });
    this.element.insertBefore(this.start, this.note);
  }

  /** Fetches it and plays it; again from the beginning where it is there already. */
  async play() {
    if (!this.clip || !this.start || this.start.disabled) return;
    if (this.video) {
      this.video.currentTime = 0;
      await this.video.play();
      return;
    }
    this.start.disabled = true;
    try {
      const address = await api.picture(this.clip.evidence_id);
      if (this.released) {
        URL.revokeObjectURL(address);
        return;
      }
      this.address = address;
      await this.#show(address, this.clip.width, this.clip.height);
    } catch (error) {
      if (!this.released) bind(this.note, () => t(error instanceof DOMException ? "clip.broken" : errorKey(error)));
    } finally {
      this.start.disabled = false;
    }
  }

  /** Lets go of it. */
  release() {
    this.released = true;
    this.video?.pause();
    this.video?.removeAttribute("src");
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = "";
  }

  /**
   * @param {string} address
   * @param {number} width
   * @param {number} height
   */
  async #show(address, width, height) {
    const video = h("video", { width, height, controls: true, loop: true, playsinline: true });
    video.muted = true;
    video.disablePictureInPicture = true;
    bind(video, () => t("clip.alt"), "aria-label");
    video.src = address;
    this.element.insertBefore(video, this.note);
    this.video = video;
    await video.play();
  }
}
