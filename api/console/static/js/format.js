// Times, ages and numbers in the reader's language.

import { currentLanguage, t } from "./i18n.js";

/** English as it writes dates unambiguously and on a 24-hour clock. */
const WRITTEN_AS = /** @type {Record<string, string>} */ ({ en: "en-GB" });

function written() {
  return WRITTEN_AS[currentLanguage()] ?? currentLanguage();
}

/**
 * A number with at most so many decimals.
 * @param {number} value
 * @param {number} [decimals]
 */
export function number(value, decimals = 0) {
  return new Intl.NumberFormat(written(), {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  }).format(value);
}

/**
 * How long ago something happened, in the coarsest unit that says something.
 * @param {string} since an RFC 3339 time
 */
export function age(since) {
  const seconds = Math.max(0, (Date.now() - Date.parse(since)) / 1000);
  if (seconds < 60) return t("age.under_a_minute");
  if (seconds < 3600) return t("age.minutes", { n: number(Math.floor(seconds / 60)) });
  return t("age.hours", { n: number(Math.floor(seconds / 3600)) });
}

/** A moment on the wall clock, with its time zone. @param {string} moment */
export function moment(moment) {
  return new Intl.DateTimeFormat(written(), {
    year: "numeric",
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    timeZoneName: "shortOffset",
  }).format(new Date(moment));
}

/** A time within a recording: 0:07.4. @param {number} seconds */
export function timecode(seconds) {
  const tenths = Math.round(seconds * 10);
  const hours = Math.floor(tenths / 36000);
  const minutes = Math.floor((tenths % 36000) / 600);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}
