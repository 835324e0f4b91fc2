"""What a judge puts her passkey to: one canonical text that says what was shown, what she answered, and who she is.

Her authenticator signs the SHA-256 of this text, so that the answer cannot be exchanged afterwards, by nobody: not
in the browser, not on the way, not in the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from api.review.cases import Answer
from api.review.presentation import Picture, Presentation
from pipelines.canonical import canonical_json

STATEMENT_SCHEMA: Final = "aiqyn.judgement/1"


@dataclass(frozen=True, slots=True)
class JudgementStatement:
    """One judgement in the words that are signed.

    Attributes:
        review_id: which review.
        presentation_sha256: of what was shown, hex; see `presentation_sha256`.
        answer: what she says.
        reason: in her words, where she gives one.
        reason_code: in a word that can be counted, where she gives one.
        judge: her pseudonym.
        rp_id: the name of the site her passkey belongs to.
        issued_at: when the statement was made up; aware.
        nonce: random, so that no two statements are the same.
    """

    review_id: str
    presentation_sha256: str
    answer: Answer
    reason: str | None
    judge: str
    rp_id: str
    issued_at: datetime
    nonce: str
    reason_code: str | None = None

    def text(self) -> str:
        """The text that is signed."""
        document = {
            "schema": STATEMENT_SCHEMA,
            "review_id": self.review_id,
            "presentation_sha256": self.presentation_sha256,
            "answer": self.answer.value,
            "reason": self.reason,
            "reason_code": self.reason_code,
            "judge": self.judge,
            "rp_id": self.rp_id,
            "issued_at": self.issued_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "nonce": self.nonce,
        }
        return canonical_json(document).decode("utf-8")


def statement_digest(text: str) -> bytes:
    """What the authenticator is given as its challenge: SHA-256 of a statement's text."""
    return hashlib.sha256(text.encode("utf-8")).digest()


def presentation_document(shown: Presentation, portraits: Mapping[str, str]) -> dict[str, Any]:
    """Everything a review shows, the same for both of its judges, as JSON values.

    Args:
        shown: as it stands since the first claim.
        portraits: SHA-256 of each reference portrait as it is stored, by its reference id.
    """
    sighting = shown.sighting
    return {
        "review_id": shown.review_id,
        "camera_id": sighting.camera_id,
        "observed_at": None if sighting.observed_at is None else sighting.observed_at.isoformat(),
        "pts_seconds": sighting.pts_seconds,
        "face_xyxy": list(sighting.face_xyxy),
        "pictures": [_shown(picture, portraits) for picture in shown.pictures],
    }


def presentation_sha256(document: Mapping[str, Any]) -> str:
    """The digest of what is shown, hex; made of addresses and hashes, it tells nothing by itself."""
    return hashlib.sha256(canonical_json(document)).hexdigest()


def _shown(picture: Picture, portraits: Mapping[str, str]) -> dict[str, Any]:
    source = picture.source
    sealed = source.sealed["sha256_sealed"] if source.sealed else portraits.get(source.reference_id or "")
    return {"kind": source.kind, "evidence_id": picture.evidence_id, "sha256": sealed}
