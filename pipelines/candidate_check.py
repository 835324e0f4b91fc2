"""Whether an entry of the candidates stream is a candidate that the worker it names has signed.

The signature is checked over the JSON as it came, not over what our model makes of it: an older sender, whose events
lack a field that has a default today, is believed; and nothing is believed that was not signed. `docs/events.md`
says what becomes of events of other versions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import ValidationError

from pipelines import streams
from pipelines.errors import SealingError
from pipelines.events import CANDIDATE_SCHEMA, Candidate, utc_now
from pipelines.signing import VerifyingKeys, verify_event

MAX_EVENT_BYTES = 128 * 1024
"""No candidate comes near; what is larger is not parsed."""

TRIMMED = "the entry was trimmed away before it was kept"
UPDATE_FIRST = "update this service, then run `aiqyn dead retry`"
_NAME, _MAJOR = CANDIDATE_SCHEMA.split("/")
_SCHEMA = re.compile(rf"{re.escape(_NAME)}/([1-9][0-9]{{0,8}})")


@dataclass(frozen=True, slots=True)
class SignedCandidate:
    """A candidate whose signature holds.

    Attributes:
        candidate: the event.
        document: exactly what was signed: the event as JSON values, without its signature.
    """

    candidate: Candidate
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReceivedCandidate:
    """A candidate whose signature holds, as it came in the stream.

    Attributes:
        entry_id: of the stream; to be acknowledged after the commit.
        checked: the event, and what its signature is over.
        event_json: exactly as it came.
        traceparent: of its trace, as it came; not signed, and to be checked before use; None where there is none.
    """

    entry_id: str
    checked: SignedCandidate
    event_json: str
    traceparent: str | None = None

    @property
    def candidate(self) -> Candidate:
        """The event."""
        return self.checked.candidate


def checked_candidate(fields: Mapping[bytes, bytes], keys: VerifyingKeys) -> SignedCandidate:
    """The candidate in a stream entry, if the worker it names has signed it.

    Raises:
        SealingError: no candidate, one of a version this service does not read, or not signed with a registered
            key of the worker it names.
    """
    if not fields:
        raise SealingError(TRIMMED)
    _check_schema(fields.get(streams.SCHEMA_FIELD.encode(), b""))
    raw = fields.get(streams.EVENT_FIELD.encode(), b"")
    if len(raw) > MAX_EVENT_BYTES:
        raise SealingError(f"the event is larger than {MAX_EVENT_BYTES} bytes")
    document = _object(raw)
    try:
        candidate = Candidate.model_validate_json(raw)
    except ValidationError as error:
        raise SealingError(_problem(error)) from error
    signed = {name: value for name, value in document.items() if name != "signature"}
    key = verify_event(signed, candidate.signature, keys, at=utc_now())
    if key.owner != candidate.worker_id:
        raise SealingError("the event is signed by another worker than the one it names")
    return SignedCandidate(candidate, signed)


def _check_schema(raw: bytes) -> None:
    schema = raw.decode("utf-8", "replace")
    if schema == CANDIDATE_SCHEMA:
        return
    match = _SCHEMA.fullmatch(schema)
    if match is not None and int(match[1]) > int(_MAJOR):
        raise SealingError(f"the event is of schema {schema}, newer than {CANDIDATE_SCHEMA}: {UPDATE_FIRST}")
    raise SealingError(f"the entry is not of schema {CANDIDATE_SCHEMA}")


def _object(raw: bytes) -> dict[str, Any]:
    """The event as JSON values; no name twice, so that every reader of it reads the same."""
    try:
        document = json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise SealingError(f"the event is no candidate: no JSON ({type(error).__name__})") from error
    if not isinstance(document, dict):
        raise SealingError("the event is no candidate: no JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands there twice")
    return made


def _no_number(_: str) -> NoReturn:
    raise ValueError("NaN and infinities are no JSON")


def _problem(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:80] or "event"
    if first["type"] == "extra_forbidden":
        return f"the event has a field this service does not know, {place!r} (extra): {UPDATE_FIRST}"
    return f"the event is no candidate: {place}: {first['type']}"
