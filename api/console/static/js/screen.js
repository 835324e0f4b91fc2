// The parts of the page every view shares: what is shown, what is spoken, and what went wrong.

import { OfflineError, ProblemError } from "./api.js";
import { byId, h } from "./dom.js";
import { bind, forgetRemoved, knows, t } from "./i18n.js";
import { PasskeyError } from "./passkeys.js";

/**
 * Replaces the page's content and moves the focus into it.
 * @param {HTMLElement} view
 * @param {HTMLElement} [focused] what gets the focus; the view's heading unless said
 */
export function show(view, focused) {
  byId("main").replaceChildren(view);
  forgetRemoved();
  const target = focused ?? view.querySelector("h1");
  if (target instanceof HTMLElement) target.focus();
}

/** Tells a screen reader. @param {string} text */
export function speak(text) {
  byId("spoken").textContent = text;
}

/** Shows or hides the line that says the service cannot be reached. @param {boolean} away */
export function setOffline(away) {
  const line = byId("offline");
  if (line.hidden !== away) return;
  line.hidden = !away;
  if (away) bind(line, () => t("offline.banner"));
  else line.textContent = "";
}

/**
 * Says how many wait; nothing where that is not known.
 * @param {number | null} count
 * @param {boolean} [more] whether there are more than were asked for
 */
export function setWaiting(count, more = false) {
  const line = byId("waiting");
  if (count === null) line.replaceChildren();
  else bind(line, () => t("queue.waiting", { n: more ? `${count}+` : count }));
}

/**
 * What an error is called in the reader's language.
 * @param {unknown} error
 * @returns {string} a key
 */
export function errorKey(error) {
  if (error instanceof OfflineError) return "error.offline";
  if (error instanceof PasskeyError) return error.key;
  if (error instanceof ProblemError) {
    const own = `error.${error.code}`;
    if (knows(own)) return own;
    if (error.status === 429) return "error.too_many";
    if (error.status === 404) return "error.not_found";
    if (error.status === 403) return "error.forbidden";
  }
  return "error.unknown";
}

/**
 * A heading that can take the focus without being a stop of the Tab key.
 * @param {string} key
 */
export function heading(key) {
  return bind(h("h1", { tabindex: -1 }), () => t(key));
}

/**
 * A paragraph in the reader's language.
 * @param {string} key
 * @param {string} [className]
 */
export function paragraph(key, className) {
  return bind(h("p", { class: className }), () => t(key));
}

/**
 * A button with words and, where it has one, its key.
 * @param {string} key
 * @param {() => void} onPress
 * @param {{className?: string, shortcut?: string, ariaShortcuts?: string}} [options]
 */
export function button(key, onPress, options = {}) {
  return h(
    "button",
    { type: "button", class: options.className, onclick: onPress, "aria-keyshortcuts": options.ariaShortcuts },
    bind(h("span"), () => t(key)),
    options.shortcut && h("kbd", { "aria-hidden": "true" }, options.shortcut),
  );
}
