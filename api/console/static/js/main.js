// The way through the page: log in, replace a one-time password, work at the desk, leave.

import * as api from "./api.js";
import { Desk } from "./desk.js";
import { byId, h } from "./dom.js";
import { comeBack, showLogin, showPasskey, showPasswordChange } from "./entrance.js";
import { LANGUAGES, bind, currentLanguage, preferredLanguage, rememberLanguage, t, useLanguage } from "./i18n.js";
import { button, errorKey, heading, paragraph, show } from "./screen.js";

/** @type {Desk | null} */
let desk = null;

/** @param {string} [notice] why she is asked */
function enter(notice) {
  leaveDesk();
  api.forgetToken();
  byId("account").replaceChildren();
  showLogin((username, mustChange) => {
    if (mustChange) void begin(username);
    else void work();
  }, notice);
}

/**
 * The first login: a passkey, then a password of her own.
 * @param {string} username
 */
async function begin(username) {
  try {
    await showPasskey(() => showPasswordChange(username, () => void work()));
  } catch (error) {
    enter(errorKey(error));
  }
}

async function work() {
  try {
    const account = await api.me();
    showAccount(account.username);
    if (account.role !== "operator") {
      show(h("section", { class: "empty" }, heading("role.title"), paragraph("role.meaning", "hint")));
      return;
    }
    desk = new Desk(shutOut);
    await desk.start();
  } catch (error) {
    const again = button("error.try_again", () => void work(), { className: "primary" });
    show(h("section", { class: "empty" }, heading(errorKey(error)), h("p", {}, again)), again);
  }
}

/** @param {api.ProblemError} error */
function shutOut(error) {
  enter(error.status === 401 ? "login.over" : errorKey(error));
}

function leaveDesk() {
  desk?.stop();
  desk = null;
}

/** @param {string} username */
function showAccount(username) {
  const leave = button("login.leave", () => {
    api.logOut().catch(() => undefined);
    enter("login.left");
  });
  leave.classList.add("quiet");
  byId("account").replaceChildren(h("span", { class: "username" }, username), leave);
}

function showLanguages() {
  const names = { kk: "Қазақша", ru: "Русский", en: "English" };
  const buttons = LANGUAGES.map((tag) =>
    h("button", { type: "button", class: "quiet", lang: tag, onclick: () => void choose(tag) }, names[tag]),
  );
  const mark = () => {
    buttons.forEach((one) => one.setAttribute("aria-pressed", String(one.lang === currentLanguage())));
    return t("languages");
  };
  /** @param {string} tag */
  const choose = async (tag) => {
    await useLanguage(tag);
    rememberLanguage(tag);
  };
  byId("languages").replaceChildren(...buttons);
  bind(byId("languages"), mark, "aria-label");
}

await useLanguage(preferredLanguage());
showLanguages();
const back = await comeBack();
if (back) void work();
else enter(back === false ? "login.refused" : undefined);
