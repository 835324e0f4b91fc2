// The desk: the queue, one review at a time, her answer, and what follows.

import * as api from "./api.js";
import { ANSWERS, AnswerBar } from "./answers.js";
import { Clip } from "./clip.js";
import { h } from "./dom.js";
import { facts } from "./facts.js";
import { age } from "./format.js";
import { bind, t } from "./i18n.js";
import { PasskeyError, sign } from "./passkeys.js";
import { Pictures } from "./pictures.js";
import { Preview } from "./preview.js";
import { revealed } from "./revealed.js";
import { button, errorKey, heading, paragraph, setOffline, setWaiting, show, speak } from "./screen.js";

/** @import { Answer, Review, SignedAnswer } from "./types.js" */

const LOOK_EVERY_MS = 5_000;
const OTHERS_SHOWN = 12;
const TOO_SOON = "looked_too_short";
const MAY_BE_OVER = new Set([
  "not_found",
  "review_closed",
  "already_judged",
  "conflict",
  "responsible",
  "disclosed",
  "same_device",
  "same_authenticator",
]);
const SHUT_OUT = new Set(["password_change_required", "role", "device_changed"]);

export class Desk {
  /** @param {(error: api.ProblemError) => void} onShutOut called when the login is over or not enough */
  constructor(onShutOut) {
    this.onShutOut = onShutOut;
    /** @type {Review[]} */
    this.queue = [];
    /** @type {Pictures | null} */
    this.pictures = null;
    /** @type {Clip | null} */
    this.clip = null;
    /** @type {Preview | null} */
    this.preview = null;
    /** @type {AnswerBar | null} */
    this.bar = null;
    /** What Enter and N do now. @type {(() => void) | null} */
    this.onNext = null;
    /** What R does now. @type {(() => void) | null} */
    this.onRefresh = null;
    /** Whether the queue itself is on the screen, to be kept up to date. */
    this.idle = false;
    this.opening = false;
    this.others = h("ol", { class: "others" });
    this.keys = (/** @type {KeyboardEvent} */ event) => this.#onKey(event);
  }

  /** Opens the desk. */
  async start() {
    document.addEventListener("keydown", this.keys);
    this.timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
    await this.#look();
    this.showQueue();
  }

  /** Closes the desk and lets go of everything it showed. */
  stop() {
    document.removeEventListener("keydown", this.keys);
    clearInterval(this.timer);
    this.#clear();
    this.queue = [];
    setWaiting(null);
    setOffline(false);
  }

  /** The queue by age, before the first review and between two. */
  showQueue() {
    this.#clear();
    this.idle = true;
    const oldest = this.queue[0];
    this.onNext = oldest ? () => void this.openNext() : null;
    if (!oldest) {
      show(h("section", { class: "empty" }, heading("queue.empty"), paragraph("queue.empty_meaning", "hint")));
      return;
    }
    const begin = button("queue.begin", () => void this.openNext(), {
      className: "primary",
      shortcut: "N",
      ariaShortcuts: "N Enter",
    });
    const view = h(
      "section",
      { class: "queue" },
      heading("queue.title"),
      paragraph("queue.order", "hint"),
      h("p", {}, begin),
      this.others,
    );
    show(view, begin);
  }

  /** Opens the oldest review that is open to her. */
  async openNext() {
    if (this.opening) return;
    this.opening = true;
    this.onNext = null;
    try {
      await this.#look();
      const oldest = this.queue[0];
      if (oldest) await this.#open(oldest.review_id);
      else this.showQueue();
    } catch (error) {
      this.#failed(error, () => void this.openNext());
    } finally {
      this.opening = false;
    }
  }

  /** @param {string} reviewId */
  async #open(reviewId) {
    const review = await api.review(reviewId);
    this.#clear();
    const pictures = new Pictures(review);
    const bar = new AnswerBar((answer, reason) => void this.#answer(review, answer, reason, api.newKey()));
    this.pictures = pictures;
    this.clip = new Clip(review);
    this.preview = new Preview(review.camera_id);
    this.bar = bar;
    const title = heading("review.title");
    const view = h(
      "section",
      { class: "review" },
      title,
      h("div", { class: "pictures" }, pictures.probe.figure, pictures.reference.figure, pictures.frame.figure),
      facts(review),
      bar.element,
      h("div", { class: "moving" }, this.clip.element, this.preview.element),
      h("div", { class: "aside-list" }, bind(h("h2"), () => t("queue.title")), this.others),
    );
    show(view, title);
    this.#listOthers(reviewId);
    speak(t("review.loading"));
    await pictures.load();
    if (this.bar !== bar) return;
    bar.allow();
    speak(t("review.ready"));
  }

  /**
   * @param {Review} review
   * @param {Answer} answer
   * @param {string} reason
   * @param {string} key
   * @param {SignedAnswer | null} [signed] where it was signed and its reply got lost
   */
  async #answer(review, answer, reason, key, signed = null) {
    const bar = this.bar;
    let body = signed;
    try {
      body ??= await this.#sign(review, answer, reason);
      if (this.bar !== bar) return;
      bar?.close("answer.sending");
      await api.judge(review.review_id, body, key);
      await this.#reveal(review.review_id, answer);
      void this.#look();
    } catch (error) {
      if (this.bar !== bar || !bar) return;
      if (this.#shutOut(error)) return;
      if (error instanceof api.ProblemError && error.code === TOO_SOON) {
        bar.allow(errorKey(error));
        speak(t(errorKey(error)));
      } else if (error instanceof PasskeyError) this.#reopen(bar, error);
      else if (error instanceof api.ProblemError && MAY_BE_OVER.has(error.code)) this.#failed(error);
      else {
        // The same words under the same key: however often they are sent, they are one answer. What the service
        // refused is signed afresh.
        const again = error instanceof api.ProblemError ? null : body;
        this.#offerRetry(bar, error, () => void this.#answer(review, answer, reason, key, again));
      }
    }
  }

  /**
   * Her answer with her passkey put to it; nothing is sent yet.
   * @param {Review} review
   * @param {Answer} answer
   * @param {string} reason
   * @returns {Promise<SignedAnswer>}
   */
  async #sign(review, answer, reason) {
    const options = await api.judgementOptions(review.review_id, answer, reason);
    const assertion = await sign(options);
    return reason ? { answer, reason, assertion } : { answer, assertion };
  }

  /**
   * Nothing was signed, so nothing was sent: she may answer as if she had not.
   * @param {AnswerBar} bar
   * @param {PasskeyError} error
   */
  #reopen(bar, error) {
    bar.allow(error.key);
    speak(t(error.key));
  }

  /**
   * @param {AnswerBar} bar
   * @param {unknown} error
   * @param {() => void} again
   */
  #offerRetry(bar, error, again) {
    bar.close(errorKey(error));
    const retry = button("answer.send_again", () => {
      retry.remove();
      bar.close("answer.sending");
      again();
    });
    retry.classList.add("primary");
    bar.element.append(retry);
    retry.focus();
    speak(t(errorKey(error)));
  }

  /**
   * @param {string} reviewId
   * @param {Answer} answer
   */
  async #reveal(reviewId, answer) {
    const told = await api.reveal(reviewId);
    const onNext = () => void this.openNext();
    const onRefresh = () => {
      this.onRefresh = null;
      this.#reveal(reviewId, answer).catch((error) => this.#shutOut(error) || speak(t(errorKey(error))));
    };
    const undoKey = api.newKey();
    const onUndo = () => this.#undo(reviewId, undoKey, panel);
    const panel = revealed(answer, told, { onNext, onRefresh, onUndo });
    document.querySelector(".answers, .revealed")?.replaceWith(panel.element);
    this.bar = null;
    this.onNext = onNext;
    this.onRefresh = told.outcome ? null : onRefresh;
    panel.title.focus();
    speak(t("reveal.spoken"));
  }

  /**
   * Takes her answer back, under one key however often it is pressed.
   * @param {string} reviewId
   * @param {string} key
   * @param {{state: HTMLElement, undo: HTMLButtonElement}} panel
   */
  async #undo(reviewId, key, panel) {
    let said;
    try {
      const done = await api.undo(reviewId, key);
      said = `undo.${done.result}`;
      panel.undo.remove();
    } catch (error) {
      if (this.#shutOut(error)) return;
      said = errorKey(error);
    }
    bind(panel.state, () => t(said));
    speak(t(said));
  }

  /** Looks at the queue; what waits is shown by age alone. */
  async #look() {
    try {
      const page = await api.reviews();
      setOffline(false);
      this.queue = page.items;
      setWaiting(page.items.length, page.next_cursor !== null);
      const listShown = document.querySelector("section.queue") !== null;
      if (this.idle && listShown !== page.items.length > 0) this.showQueue();
      this.#listOthers();
    } catch (error) {
      if (!this.#shutOut(error)) setOffline(true);
    }
  }

  /** @param {string} [openId] the review on the screen, which waits no longer */
  #listOthers(openId) {
    if (openId !== undefined) this.openId = openId;
    const waiting = this.queue.filter((item) => item.review_id !== this.openId);
    const entries = waiting
      .slice(0, OTHERS_SHOWN)
      .map((item) => bind(h("li"), () => `${item.camera_id} · ${age(item.queued_at)}`));
    if (!entries.length) entries.push(bind(h("li", { class: "none" }), () => t("queue.none_other")));
    this.others.replaceChildren(...entries);
  }

  /**
   * Whether an error means that she is not let in any more; then the desk is left.
   * @param {unknown} error
   */
  #shutOut(error) {
    if (!(error instanceof api.ProblemError)) return false;
    const over = error.status === 401 || SHUT_OUT.has(error.code);
    if (over) this.onShutOut(error);
    return over;
  }

  /**
   * Says what went wrong with the review on the screen and offers a way on.
   * @param {unknown} error
   * @param {() => void} [again]
   */
  #failed(error, again) {
    if (this.#shutOut(error)) return;
    if (error instanceof api.OfflineError) setOffline(true);
    this.#clear();
    const onNext = again ?? (() => void this.openNext());
    const on = button(again ? "error.try_again" : "reveal.next", onNext, { className: "primary", shortcut: "N" });
    show(h("section", { class: "empty" }, heading(errorKey(error)), h("p", {}, on)), on);
    this.onNext = onNext;
  }

  #clear() {
    this.idle = false;
    this.pictures?.release();
    this.pictures = null;
    this.clip?.release();
    this.clip = null;
    this.preview?.stop();
    this.preview = null;
    this.bar = null;
    this.onNext = null;
    this.onRefresh = null;
    this.openId = undefined;
  }

  /**
   * Keys by their place on the board, so that they work with a Cyrillic layout too.
   * @param {KeyboardEvent} event
   */
  #onKey(event) {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target;
    if (target instanceof HTMLInputElement) return;
    if (this.pictures?.frame.enlarged.open) return;
    const press = this.#meaning(event.code, target instanceof HTMLButtonElement);
    if (!press) return;
    event.preventDefault();
    press();
  }

  /**
   * @param {string} code
   * @param {boolean} onButton whether Enter already presses what has the focus
   * @returns {(() => void) | null}
   */
  #meaning(code, onButton) {
    const chosen = ANSWERS.find(({ codes }) => codes.includes(code));
    if (chosen && this.bar?.open) return () => this.bar?.give(chosen.answer);
    const isEnter = code === "Enter" || code === "NumpadEnter";
    if (code === "KeyN" || (isEnter && !onButton)) return this.onNext;
    if (code === "KeyR") return this.onRefresh;
    if (code === "KeyZ" && this.pictures) return this.pictures.frame.open;
    if (code === "KeyP" && this.clip) return () => void this.clip?.play();
    if (code === "ArrowLeft") return () => this.pictures?.turnReference(-1);
    if (code === "ArrowRight") return () => this.pictures?.turnReference(1);
    return null;
  }
}
