// Shapes of the service's answers; the service's OpenAPI document says the same.

/**
 * @typedef {"same_person" | "different" | "cannot_tell"} Answer
 *
 * @typedef {object} Login
 * @property {string} access_token
 * @property {string} refresh_token
 * @property {string} expires_at
 * @property {boolean} must_change_password
 *
 * @typedef {object} LoginWays
 * @property {string | null} oidc
 *
 * @typedef {object} OidcBegun
 * @property {string} authorization_url
 * @property {string} binding
 * @typedef {object} KnownPasskey
 * @property {string} id
 * @property {"public-key"} type
 * @property {string[]} transports
 *
 * @typedef {object} RequestOptions
 * @property {string} challenge
 * @property {number} timeout
 * @property {string} rpId
 * @property {KnownPasskey[]} allowCredentials
 * @property {"required"} userVerification
 *
 * @typedef {object} CreationOptions
 * @property {{id: string, name: string}} rp
 * @property {{id: string, name: string, displayName: string}} user
 * @property {string} challenge
 * @property {{type: "public-key", alg: number}[]} pubKeyCredParams
 * @property {number} timeout
 * @property {KnownPasskey[]} excludeCredentials
 * @property {{residentKey: "preferred", requireResidentKey: boolean, userVerification: "required"}} authenticatorSelection
 * @property {"none"} attestation
 *
 * @typedef {object} Credential
 * @property {string} id
 * @property {"public-key"} type
 * @property {{clientDataJSON: string, attestationObject: string, transports: string[]}} response
 *
 * @typedef {object} Assertion
 * @property {string} id
 * @property {"public-key"} type
 * @property {{clientDataJSON: string, authenticatorData: string, signature: string}} response
 *
 * @typedef {object} SignedAnswer
 * @property {Answer} answer
 * @property {string} [reason]
 * @property {Assertion} assertion
 *
 * @typedef {object} Me
 * @property {string} username
 * @property {string} role
 *
 * @typedef {object} PictureRef
 * @property {string} evidence_id
 * @property {number} width
 * @property {number} height
 *
 * @typedef {object} FrameAccounting
 * @property {number} read
 * @property {number} undecodable
 * @property {number} not_sampled
 * @property {number} gated
 * @property {number} inferred
 * @property {Record<string, number>} dropped
 *
 * @typedef {object} Review
 * @property {string} review_id
 * @property {string} camera_id
 * @property {string | null} observed_at
 * @property {number} pts_seconds
 * @property {string} queued_at
 * @property {PictureRef & {face_xyxy: [number, number, number, number]}} frame
 * @property {PictureRef & {face_size_px: number}} probe
 * @property {PictureRef[]} references
 * @property {(PictureRef & {began_pts_seconds: number, duration_seconds: number}) | null} clip
 * @property {FrameAccounting} frame_accounting
 *
 * @typedef {object} ReviewPage
 * @property {Review[]} items
 * @property {string | null} next_cursor
 *
 * @typedef {object} Reveal
 * @property {string} name
 * @property {string} watchlist
 * @property {number} similarity
 * @property {number} threshold
 * @property {string | null} outcome
 */

export {};
