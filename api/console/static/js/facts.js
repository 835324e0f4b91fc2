// Where and when, and what was not seen.

import { h } from "./dom.js";
import { age, moment, number, timecode } from "./format.js";
import { bind, t } from "./i18n.js";

/** @import { FrameAccounting, Review } from "./types.js" */

/** @param {Review} review */
export function facts(review) {
  return h(
    "section",
    { class: "facts" },
    h(
      "dl",
      {},
      ...pair("facts.camera", () => review.camera_id),
      ...pair("facts.time", () => whenSeen(review)),
      ...pair("facts.waiting_for", () => age(review.queued_at)),
    ),
    accounting(review.frame_accounting),
  );
}

/** @param {Review} review */
function whenSeen(review) {
  const within = t("facts.in_recording", { time: timecode(review.pts_seconds) });
  return review.observed_at ? `${moment(review.observed_at)} · ${within}` : `${t("facts.no_clock")} · ${within}`;
}

/** @param {FrameAccounting} counts */
function accounting(counts) {
  const dropped = Object.values(counts.dropped).reduce((sum, count) => sum + count, 0);
  const rows = /** @type {[string, number][]} */ ([
    ["accounting.read", counts.read],
    ["accounting.inferred", counts.inferred],
    ["accounting.not_sampled", counts.not_sampled],
    ["accounting.gated", counts.gated],
    ["accounting.undecodable", counts.undecodable],
    ["accounting.dropped", dropped],
  ]);
  // The two that say what was searched stay even at nought; a loss of nought needs no words.
  const told = rows.filter(([, count], index) => index < 2 || count > 0);
  return bind(
    h("p", { class: "accounting" }),
    () => `${told.map(([key, n]) => t(key, { n: number(n) })).join(" · ")}. ${t("accounting.meaning")}`,
  );
}

/**
 * @param {string} key
 * @param {() => string} value
 */
function pair(key, value) {
  return [h("div", {}, bind(h("dt"), () => t(key)), bind(h("dd"), value))];
}
