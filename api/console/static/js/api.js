// The service's HTTP interface. The tokens live in this module's memory and nowhere else.

/**
 * @import { Answer, CreationOptions, Credential, Login, LoginWays, Me, OidcBegun, RequestOptions, Reveal, Review, ReviewPage, SignedAnswer }
 * from "./types.js"
 */

const BASE = "api/v1";
const PATIENCE_MS = 20_000;
export const QUEUE_LIMIT = 50;

/** @type {string | null} */
let token = null;

/** @type {string | null} */
let refreshToken = null;

/** The refresh under way: requests that find the token over at the same time wait for the same one.
 * @type {Promise<boolean> | null} */
let refreshing = null;

/** An error the service explained (RFC 9457). */
export class ProblemError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   */
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** The service could not be reached. */
export class OfflineError extends Error {}

/** Forgets the tokens. */
export function forgetToken() {
  token = null;
  refreshToken = null;
}

/** @param {Login} login */
function keep(login) {
  token = login.access_token;
  refreshToken = login.refresh_token;
  return login;
}

/**
 * @param {string} username
 * @param {string} password
 * @returns {Promise<Login>}
 */
export async function logIn(username, password) {
  return keep(await json("POST", "auth/login", { username, password }));
}

/** @returns {Promise<LoginWays>} */
export const loginWays = () => json("GET", "auth/ways");

/** @returns {Promise<OidcBegun>} */
export const beginOidc = () => json("POST", "auth/oidc");

/**
 * @param {string} code
 * @param {string} state
 * @param {string} binding
 * @returns {Promise<Login>}
 */
export async function finishOidc(code, state, binding) {
  return keep(await json("POST", "auth/oidc/finish", { code, state, binding }));
}

/** @param {string} password */
export async function setPassword(password) {
  await send("POST", "auth/password", { password });
}

/** Whether the account has a passkey already. */
export async function hasPasskey() {
  return (await json("GET", "passkeys")).items.length > 0;
}

/** What a first passkey is made with. @returns {Promise<CreationOptions>} */
export async function passkeyOptions() {
  return (await json("POST", "passkeys/options")).creation;
}

/**
 * @param {string} label
 * @param {Credential} credential
 * @param {string} key
 */
export async function registerPasskey(label, credential, key) {
  await send("POST", "passkeys", { label, credential }, { "Idempotency-Key": key });
}

/** Ends the login on the service, as far as it can be reached, and here in any case. */
export async function logOut() {
  try {
    await send("POST", "auth/logout");
  } finally {
    forgetToken();
  }
}

/** @returns {Promise<Me>} */
export const me = () => json("GET", "me");

/** @returns {Promise<ReviewPage>} */
export const reviews = () => json("GET", `reviews?limit=${QUEUE_LIMIT}`);

/** @param {string} id @returns {Promise<Review>} */
export const review = (id) => json("GET", `reviews/${encodeURIComponent(id)}`);

/** @param {string} id @returns {Promise<Reveal>} */
export const reveal = (id) => json("GET", `reviews/${encodeURIComponent(id)}/reveal`);

/**
 * What she has to sign for an answer.
 * @param {string} id
 * @param {Answer} answer
 * @param {string} reason
 * @returns {Promise<RequestOptions>}
 */
export async function judgementOptions(id, answer, reason) {
  const body = reason ? { answer, reason } : { answer };
  return (await json("POST", `reviews/${encodeURIComponent(id)}/judgements/options`, body)).options;
}

/**
 * Sends her answer. The same key again cannot become a second answer.
 * @param {string} id
 * @param {SignedAnswer} signed
 * @param {string} key
 */
export async function judge(id, signed, key) {
  await send("POST", `reviews/${encodeURIComponent(id)}/judgements`, signed, { "Idempotency-Key": key });
}

/**
 * A picture or a clip, kept in memory until the caller revokes the address.
 * Takes an answer back; tells whether it was undone, or retracted because somebody had been told already.
 * @param {string} id
 * @param {string} key
 * @returns {Promise<{result: "undone" | "retracted"}>}
 */
export async function undo(id, key) {
  const response = await send("POST", `reviews/${encodeURIComponent(id)}/undo`, {}, { "Idempotency-Key": key });
  return response.json();
}

/**
 * A picture, kept in memory until the caller revokes the address.
 * @param {string} id
 * @returns {Promise<string>} an object URL
 */
export async function picture(id) {
  const response = await send("GET", `evidence/${encodeURIComponent(id)}`);
  return URL.createObjectURL(await response.blob());
}

/**
 * What a camera sees now, in coarse blocks; null where there is nothing yet.
 * @param {string} cameraId
 * @returns {Promise<string | null>} an object URL
 */
export async function preview(cameraId) {
  const response = await send("GET", `cameras/${encodeURIComponent(cameraId)}/preview`);
  return response.status === 204 ? null : URL.createObjectURL(await response.blob());
}

/** A name for one write: 128 random bits. `randomUUID` is missing where the page comes over plain HTTP. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function json(method, path, body) {
  return (await send(method, path, body)).json();
}

/**
 * A request; where the access token is over it is refreshed and the request sent once more.
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {Record<string, string>} [headers]
 * @returns {Promise<Response>}
 */
async function send(method, path, body, headers = {}) {
  const used = token;
  try {
    return await sendOnce(method, path, body, headers);
  } catch (error) {
    const isOver = error instanceof ProblemError && error.status === 401 && used !== null;
    if (!isOver || !(await isRefreshed(used))) throw error;
    return sendOnce(method, path, body, headers);
  }
}

/**
 * Whether there is another token than the one that is over.
 * @param {string} used
 */
async function isRefreshed(used) {
  if (token !== used) return token !== null;
  if (!refreshToken) return false;
  refreshing ??= refresh(refreshToken).finally(() => (refreshing = null));
  return refreshing;
}

/** @param {string} refresh_token */
async function refresh(refresh_token) {
  try {
    const response = await sendOnce("POST", "auth/refresh", { refresh_token }, {});
    keep(await response.json());
    return true;
  } catch (error) {
    if (error instanceof ProblemError) return false;
    throw error;
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object | undefined} body
 * @param {Record<string, string>} headers
 * @returns {Promise<Response>}
 */
async function sendOnce(method, path, body, headers) {
  const sent = { ...headers };
  if (token) sent["Authorization"] = `Bearer ${token}`;
  if (body) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(`${BASE}/${path}`, {
      method,
      headers: sent,
      body: body ? JSON.stringify(body) : undefined,
      cache: "no-store",
      credentials: "same-origin", // the mark of this browser, which no script can read
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch (error) {
    throw new OfflineError("the service cannot be reached", { cause: error });
  }
  if (!response.ok) throw await problem(response);
  return response;
}

/** @param {Response} response */
async function problem(response) {
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json");
  const told = isProblem ? await response.json() : {};
  return new ProblemError(response.status, told.code ?? "unknown", told.detail ?? response.statusText);
}
