// Getting in: user name and password, and replacing a one-time password.

import * as api from "./api.js";
import { h } from "./dom.js";
import { bind, t } from "./i18n.js";
import { makePasskey } from "./passkeys.js";
import { button, errorKey, heading, paragraph, show } from "./screen.js";

const MIN_PASSWORD_LENGTH = 12;

/** Under this name the page keeps, until she is back, what shows that she left from here. */
const BINDING = "login-begun";

/**
 * Asks for user name and password.
 * @param {(username: string, mustChangePassword: boolean) => void} onDone
 * @param {string} [notice] the key of why she is asked again
 */
export function showLogin(onDone, notice) {
  const username = field("login.username", { name: "username", autocomplete: "username", autocapitalize: "none" });
  const password = field("login.password", { name: "password", type: "password", autocomplete: "current-password" });
  const form = formOf("login.button", [username.label, password.label], async () => {
    const login = await api.logIn(username.input.value, password.input.value);
    onDone(username.input.value, login.must_change_password);
  });
  const elsewhere = h("p", {});
  const view = h(
    "section",
    { class: "entrance" },
    heading("login.title"),
    notice ? paragraph(notice, "notice") : paragraph("login.promise", "hint"),
    form,
    elsewhere,
  );
  show(view, username.input);
  void offerProvider(elsewhere);
}

/**
 * Where the service has an identity provider: a button that leads there.
 * @param {HTMLElement} place
 */
async function offerProvider(place) {
  const ways = await api.loginWays().catch(() => null);
  if (!ways?.oidc) return;
  const name = ways.oidc;
  const leave = async () => {
    const begun = await api.beginOidc();
    sessionStorage.setItem(BINDING, begun.binding);
    location.assign(begun.authorization_url);
  };
  const label = bind(h("span"), () => `${t("login.elsewhere")} ${name}`);
  place.replaceChildren(h("button", { type: "button", onclick: () => void leave().catch(() => undefined) }, label));
}

/**
 * Ends a login that came back from the identity provider; null where none did.
 * @returns {Promise<boolean | null>} whether she is in
 */
export async function comeBack() {
  const given = new URLSearchParams(location.search);
  const [code, state, binding] = [given.get("code"), given.get("state"), sessionStorage.getItem(BINDING)];
  sessionStorage.removeItem(BINDING);
  if (!state) return null;
  history.replaceState(null, "", location.pathname);
  if (!code || !binding) return false;
  try {
    await api.finishOidc(code, state, binding);
    return true;
  } catch {
    return false;
  }
}

/**
 * Has her register a passkey, as long as the one-time password lasts; who has one goes on at once.
 * @param {() => void} onDone
 */
export async function showPasskey(onDone) {
  if (await api.hasPasskey()) {
    onDone();
    return;
  }
  const key = api.newKey();
  const form = formOf("passkey.button", [], async () => {
    const credential = await makePasskey(await api.passkeyOptions());
    const today = new Date().toISOString().slice(0, 10);
    await api.registerPasskey(today, credential, key);
    onDone();
  });
  const without = button("passkey.without", onDone);
  without.classList.add("quiet");
  const view = h(
    "section",
    { class: "entrance" },
    heading("passkey.title"),
    paragraph("passkey.why", "hint"),
    form,
    without,
  );
  const first = form.querySelector("button");
  show(view, first ?? undefined);
}

/**
 * Asks for a password of her own in place of the one-time one.
 * @param {string} username whose; for the browser's own password keeper
 * @param {() => void} onDone
 */
export function showPasswordChange(username, onDone) {
  const keeper = h("input", { type: "text", name: "username", autocomplete: "username", value: username, hidden: true });
  const first = field("password.new", { name: "new", type: "password", autocomplete: "new-password" });
  const second = field("password.again", { name: "again", type: "password", autocomplete: "new-password" });
  const form = formOf("password.button", [keeper, first.label, second.label], async () => {
    if (first.input.value.length < MIN_PASSWORD_LENGTH) throw new Refusal("password.too_short", first.input);
    if (first.input.value !== second.input.value) throw new Refusal("password.not_equal", second.input);
    await api.setPassword(first.input.value);
    onDone();
  });
  const view = h(
    "section",
    { class: "entrance" },
    heading("password.title"),
    paragraph("password.why", "hint"),
    form,
  );
  show(view, first.input);
}

/** Something the page itself refuses, and where. */
class Refusal extends Error {
  /**
   * @param {string} key
   * @param {HTMLInputElement} input
   */
  constructor(key, input) {
    super(key);
    this.key = key;
    this.input = input;
  }
}

/**
 * @param {string} key
 * @param {import("./dom.js").Attributes} attributes
 */
function field(key, attributes) {
  const input = h("input", { required: true, maxlength: 256, spellcheck: "false", ...attributes });
  const label = h("label", {}, bind(h("span"), () => t(key)), input);
  return { input, label };
}

/**
 * A form that says what went wrong and can be sent again.
 * @param {string} buttonKey
 * @param {HTMLElement[]} fields
 * @param {() => Promise<void>} send
 */
function formOf(buttonKey, fields, send) {
  const problem = h("p", { class: "problem", role: "alert" });
  const submit = h("button", { type: "submit", class: "primary" }, bind(h("span"), () => t(buttonKey)));
  const onsubmit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    problem.textContent = "";
    submit.disabled = true;
    try {
      await send();
    } catch (error) {
      const refusal = error instanceof Refusal ? error : null;
      bind(problem, () => t(refusal ? refusal.key : errorKey(error)));
      submit.disabled = false;
      const first = form.querySelector("label input");
      (refusal?.input ?? (first instanceof HTMLElement ? first : submit)).focus();
    }
  };
  const form = h("form", { onsubmit, novalidate: false }, ...fields, problem, submit);
  return form;
}
