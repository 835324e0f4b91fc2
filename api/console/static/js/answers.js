// Three answers that look alike, so that none is the obvious one; by key or by mouse.

import { h } from "./dom.js";
import { bind, t } from "./i18n.js";

/** @import { Answer } from "./types.js" */

/** @type {{answer: Answer, key: string, codes: string[], shortcuts: string}[]} */
export const ANSWERS = [
  { answer: "same_person", key: "1", codes: ["Digit1", "Numpad1", "KeyS"], shortcuts: "1 S" },
  { answer: "different", key: "2", codes: ["Digit2", "Numpad2", "KeyD"], shortcuts: "2 D" },
  { answer: "cannot_tell", key: "3", codes: ["Digit3", "Numpad3", "KeyC"], shortcuts: "3 C" },
];

const MAX_REASON_LENGTH = 500;

/** The answer bar of one review; it takes one answer, once, and only when it was allowed to. */
export class AnswerBar {
  /** @param {(answer: Answer, reason: string) => void} onAnswer */
  constructor(onAnswer) {
    this.onAnswer = onAnswer;
    this.open = false;
    this.reason = h("input", { type: "text", maxlength: MAX_REASON_LENGTH, autocomplete: "off", name: "reason" });
    this.state = h("p", { class: "state" });
    bind(this.state, () => t("answer.wait"));
    this.buttons = ANSWERS.map(({ answer, key, shortcuts }) =>
      h(
        "button",
        {
          type: "button",
          class: "answer",
          disabled: true,
          "aria-keyshortcuts": shortcuts,
          onclick: () => this.give(answer),
        },
        h("kbd", { "aria-hidden": "true" }, key),
        bind(h("span"), () => t(`answer.${answer}`)),
      ),
    );
    const label = h("label", { class: "reason" }, bind(h("span"), () => t("answer.reason")), this.reason);
    this.element = h(
      "section",
      { class: "answers" },
      bind(h("h2", { id: "question" }), () => t("answer.question")),
      h("div", { class: "row", role: "group", "aria-labelledby": "question" }, ...this.buttons),
      label,
      this.state,
    );
  }

  /** Allows an answer: everything there is to see is on the screen. @param {string} [key] what is said besides */
  allow(key = "answer.how") {
    this.open = true;
    this.reason.disabled = false;
    for (const button of this.buttons) button.disabled = false;
    bind(this.state, () => t(key));
  }

  /** Takes the answer, if one may be given and none was. @param {Answer} answer */
  give(answer) {
    if (!this.open) return;
    this.close("answer.signing");
    this.onAnswer(answer, this.reason.value.trim());
  }

  /** Takes no more answers, and says why. @param {string} key */
  close(key) {
    this.open = false;
    for (const button of this.buttons) button.disabled = true;
    this.reason.disabled = true;
    bind(this.state, () => t(key));
  }
}
