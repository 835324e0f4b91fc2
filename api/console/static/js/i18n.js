// Words in three languages, and keeping what is on the screen in the chosen one.

/** @typedef {Record<string, string | number>} Parameters */

export const LANGUAGES = /** @type {const} */ (["kk", "ru", "en"]);

const STORED_AS = "aiqyn.language";

/** @type {Record<string, string>} */
let words = {};
let language = "en";

/**
 * What is to be written again when the language changes: per element, the content ("") and attributes by name.
 * @type {Map<Element, Map<string, () => void>>}
 */
const live = new Map();

/** The language now in use, as a BCP 47 tag. */
export function currentLanguage() {
  return language;
}

/** The language chosen before, else the first the browser asks for, else Kazakh. */
export function preferredLanguage() {
  const stored = localStorage.getItem(STORED_AS);
  const asked = [stored ?? "", ...navigator.languages].map((tag) => tag.slice(0, 2));
  return asked.find((tag) => LANGUAGES.some((known) => known === tag)) ?? "kk";
}

/**
 * Loads a language and rewrites what is on the screen.
 * @param {string} tag
 */
export async function useLanguage(tag) {
  const response = await fetch(`locales/${tag}.json`);
  if (!response.ok) throw new Error(`no words for ${tag}: ${response.status}`);
  words = await response.json();
  language = tag;
  document.documentElement.lang = tag;
  forgetRemoved();
  for (const writers of live.values()) for (const write of writers.values()) write();
}

/** Keeps the choice for the next visit; nothing else is ever stored. @param {string} tag */
export function rememberLanguage(tag) {
  localStorage.setItem(STORED_AS, tag);
}

/**
 * The words for a key; `{name}` stands for a parameter.
 * @param {string} key
 * @param {Parameters} [parameters]
 */
export function t(key, parameters = {}) {
  const text = words[key];
  if (text === undefined) return key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(parameters[name] ?? whole));
}

/** Whether there are words for a key. @param {string} key */
export function knows(key) {
  return key in words;
}

/**
 * Writes a text into an element, now and whenever the language changes.
 * @template {Element} E
 * @param {E} element
 * @param {() => string} text
 * @param {string} [attribute] the attribute to write; the content where none is named
 * @returns {E}
 */
export function bind(element, text, attribute = "") {
  const write = () => {
    if (attribute) element.setAttribute(attribute, text());
    else element.textContent = text();
  };
  write();
  const writers = live.get(element) ?? new Map();
  live.set(element, writers.set(attribute, write));
  return element;
}

/** Lets go of texts whose elements have left the page, and of whatever was said in them. */
export function forgetRemoved() {
  for (const element of live.keys()) {
    if (!element.isConnected) live.delete(element);
  }
}
