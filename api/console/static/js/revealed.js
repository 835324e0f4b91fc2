// What she is told after her own answer, in words that leave a likeness a likeness.

import { h } from "./dom.js";
import { number } from "./format.js";
import { bind, t } from "./i18n.js";
import { button } from "./screen.js";

/** @import { Answer, Reveal } from "./types.js" */

const WIDE_MARGIN = 0.15;

/**
 * The panel that takes the answer bar's place.
 * @param {Answer} answer
 * @param {Reveal} told
 * @param {{onNext: () => void, onRefresh: () => void, onUndo: () => void}} actions
 */
export function revealed(answer, told, { onNext, onRefresh, onUndo }) {
  const title = bind(h("h2", { tabindex: -1 }), () => t("reveal.title"));
  const next = button("reveal.next", onNext, { className: "primary", shortcut: "N", ariaShortcuts: "N Enter" });
  const again = button("reveal.refresh", onRefresh, { className: "quiet", shortcut: "R", ariaShortcuts: "R" });
  const undo = button("undo.button", onUndo, { className: "quiet" });
  const state = h("p", { class: "state" });
  const details = h(
    "dl",
    {},
    ...row("reveal.your_answer", () => t(`answer.${answer}`)),
    ...row("reveal.resembles", () => told.name, "strong"),
    ...row("reveal.list", () => told.watchlist),
    ...row("reveal.similarity", () => likeness(told)),
    ...row("reveal.outcome", () => t(`outcome.${told.outcome ?? "awaited"}`), "strong"),
  );
  const aside = h(
    "div",
    { class: "meaning" },
    bind(h("p", { class: "note" }), () => t("reveal.meaning")),
    h("p", { class: "row" }, next, told.outcome ? null : again, undo),
    state,
  );
  const element = h("section", { class: "revealed" }, title, details, aside);
  return { element, title, next, undo, state };
}

/** @param {Reveal} told */
function likeness({ similarity, threshold }) {
  const margin = similarity - threshold;
  const words = margin < 0 ? "below" : margin < WIDE_MARGIN ? "narrow" : "wide";
  const figures = { s: number(similarity, 2), limit: number(threshold, 2) };
  return `${t("reveal.figures", figures)}: ${t(`reveal.margin_${words}`)}`;
}

/**
 * @param {string} key
 * @param {() => string} value
 * @param {string} [className]
 */
function row(key, value, className) {
  return [bind(h("dt"), () => t(key)), bind(h("dd", { class: className }), value)];
}
