// Passkeys: making one, and putting it to an answer. Browser and authenticator do it; nothing of it is kept here.

/** @import { Assertion, CreationOptions, Credential, RequestOptions } from "./types.js" */

/** The browser or her authenticator did not do what was asked; `key` says why in the reader's language. */
export class PasskeyError extends Error {
  /**
   * @param {string} key
   * @param {unknown} [cause]
   */
  constructor(key, cause) {
    super(key, { cause });
    this.key = key;
  }
}

/**
 * Has her authenticator make a passkey.
 * @param {CreationOptions} options
 * @returns {Promise<Credential>}
 */
export async function makePasskey(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: options.excludeCredentials.map(described),
  };
  const made = await ask(() => navigator.credentials.create({ publicKey }));
  const response = made.response;
  if (!(response instanceof AuthenticatorAttestationResponse)) throw new PasskeyError("passkey.not_given");
  return {
    id: made.id,
    type: "public-key",
    response: {
      clientDataJSON: text(response.clientDataJSON),
      attestationObject: text(response.attestationObject),
      transports: response.getTransports(),
    },
  };
}

/**
 * Has her authenticator sign.
 * @param {RequestOptions} options
 * @returns {Promise<Assertion>}
 */
export async function sign(options) {
  const publicKey = {
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: options.allowCredentials.map(described),
  };
  const given = await ask(() => navigator.credentials.get({ publicKey }));
  const response = given.response;
  if (!(response instanceof AuthenticatorAssertionResponse)) throw new PasskeyError("passkey.not_given");
  return {
    id: given.id,
    type: "public-key",
    response: {
      clientDataJSON: text(response.clientDataJSON),
      authenticatorData: text(response.authenticatorData),
      signature: text(response.signature),
    },
  };
}

/** @param {() => Promise<globalThis.Credential | null>} request */
async function ask(request) {
  // Missing where the page came over plain HTTP from elsewhere than localhost.
  if (!("PublicKeyCredential" in globalThis)) throw new PasskeyError("passkey.no_support");
  let given;
  try {
    given = await request();
  } catch (error) {
    const wrongPlace = error instanceof DOMException && error.name === "SecurityError";
    throw new PasskeyError(wrongPlace ? "passkey.no_support" : "passkey.not_given", error);
  }
  if (!(given instanceof PublicKeyCredential)) throw new PasskeyError("passkey.not_given");
  return given;
}

/** @param {{id: string, type: "public-key", transports: string[]}} known */
function described(known) {
  const transports = /** @type {AuthenticatorTransport[]} */ (known.transports);
  return { id: bytes(known.id), type: known.type, transports };
}

/** @param {string} base64url */
function bytes(base64url) {
  const plain = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

/** @param {ArrayBuffer} content */
function text(content) {
  const plain = Array.from(new Uint8Array(content), (byte) => String.fromCharCode(byte)).join("");
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
