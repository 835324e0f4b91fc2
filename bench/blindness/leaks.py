"""Builds that leak on purpose: each tells all four secrets of a review, in headers, sizes, times or orders.

They show that the experiment would see such a thing. The secrets are looked up in the database, as a careless build would
have them at hand.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DELAY_SECONDS: Final = 0.15
PADDING: Final = b" " * 48
_REVIEW: Final = re.compile(r"^/api/v1/reviews/([\w-]+)$")
_EVIDENCE: Final = re.compile(r"^/api/v1/evidence/([\w-]+)$")


class Leak(StrEnum):
    """Through what a build leaks."""

    NONE = "none"
    HEADER = "header"
    SIZE = "size"
    TIMING = "timing"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an operator must not know of a review."""

    second: bool
    control: bool
    first_list: bool
    other_said_same: bool


class LeakyBuild:
    """Middleware that gives secrets away."""

    def __init__(self, app: ASGIApp, leak: Leak, database: Path) -> None:
        self._app = app
        self._leak = leak
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        asked = self._asked(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        kind, secrets = asked
        if self._leak is Leak.TIMING and _TIMED[kind](secrets):
            await asyncio.sleep(DELAY_SECONDS)
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        for message in self._changed(kind, secrets, messages):
            await send(message)

    def _asked(self, scope: Scope) -> tuple[str, Secrets] | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        review, evidence = _REVIEW.match(scope["path"]), _EVIDENCE.match(scope["path"])
        with sqlite3.connect(self._database) as session:
            if review is not None:
                secrets = secrets_of(session, review[1])
                return None if secrets is None else ("review", secrets)
            if evidence is not None:
                found = session.execute(
                    "SELECT review_id, kind FROM presented_evidence WHERE evidence_id = ?", (evidence[1],)
                ).fetchone()
                secrets = None if found is None else secrets_of(session, found[0])
                return None if secrets is None or found is None else (found[1], secrets)
        return None

    def _changed(self, kind: str, secrets: Secrets, messages: list[Message]) -> list[Message]:
        start, body = messages[0], b"".join(one.get("body", b"") for one in messages[1:])
        headers: list[tuple[bytes, bytes]] = list(start["headers"])
        if self._leak is Leak.HEADER and kind == "review":
            headers += _telling(secrets)
        if self._leak is Leak.ORDER and kind == "review":
            body = _reordered(body, secrets)
        if self._leak is Leak.ORDER and kind == "frame" and secrets.first_list:
            headers.reverse()
        if self._leak is Leak.ORDER and kind == "probe" and secrets.other_said_same:
            headers.reverse()
        if self._leak is Leak.SIZE and _TIMED[kind](secrets):
            body += PADDING
        sized = [(name, value) for name, value in headers if name != b"content-length"]
        place = next((at for at, (name, _) in enumerate(headers) if name == b"content-length"), 0)
        sized.insert(place, (b"content-length", str(len(body)).encode()))
        return [{**start, "headers": sized}, {"type": "http.response.body", "body": body}]


_TIMED: Final[Mapping[str, Callable[[Secrets], bool]]] = {
    "review": lambda secrets: secrets.second,
    "frame": lambda secrets: secrets.control,
    "probe": lambda secrets: secrets.first_list,
    "reference": lambda secrets: secrets.other_said_same,
    "clip": lambda _: False,
}
"""Which answer is late, or larger, for which secret."""


def secrets_of(session: sqlite3.Connection, review_id: str) -> Secrets | None:
    """The secrets of a review as the records have them now."""
    found = session.execute(
        "SELECT c.candidate_id, c.control_id, c.deployment_id FROM reviews r "
        "JOIN candidates c ON c.candidate_id = r.candidate_id WHERE r.review_id = ?",
        (review_id,),
    ).fetchone()
    if found is None:
        return None
    answers = session.execute(
        "SELECT j.answer FROM judgements j JOIN accounts a ON a.account_id = j.account_id "
        "WHERE j.candidate_id = ? AND a.username = 'other'",
        (found[0],),
    ).fetchall()
    return Secrets(
        second=bool(answers),
        control=found[1] is not None,
        first_list=found[2] == "deployment-first",
        other_said_same=bool(answers) and answers[0][0] == "same_person",
    )


def _telling(secrets: Secrets) -> list[tuple[bytes, bytes]]:
    """Four headers, as a build that counts its cache's hits might have them."""
    flags = (secrets.second, secrets.control, secrets.first_list, secrets.other_said_same)
    return [(b"x-cache-%d" % number, b"hit" if flag else b"miss") for number, flag in enumerate(flags)]


def _reordered(body: bytes, secrets: Secrets) -> bytes:
    """The document with its fields backwards for a second judge, and those of the frame for a control."""
    document: dict[str, Any] = json.loads(body)
    if "frame" not in document:
        return body
    if secrets.control:
        document["frame"] = dict(reversed(document["frame"].items()))
    if secrets.second:
        document = dict(reversed(document.items()))
    return json.dumps(document, separators=(",", ":")).encode()
