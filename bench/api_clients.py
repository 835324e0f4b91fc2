"""Operators as programs: each asks once a second, in turn for its queue, for one review of it, and to take its answer.

The client is thin on purpose: it shares the machine with what it measures. A time runs from when it was due, so that a
service that falls behind is not measured only when it is ready.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from aiqyn.demo.authenticator import SoftwareAuthenticator, signed_answer

PAGE: Final = 20
SETTLED_SECONDS: Final = 6.0
"""At the beginning, not counted: connections are made, caches filled, everybody has begun."""
LOOK_SECONDS: Final = 0.9
"""The service asks for so long a look: an answer follows its review a second later."""


@dataclass(slots=True)
class Heard:
    """What a run of clients saw.

    Attributes:
        queue_ms: time of each queue page, milliseconds.
        look_ms: time of each review that was opened.
        gone_ms: time of each that two others had opened since the page was given.
        judgement_ms: time of each judgement that was taken, from asking what is to be signed: two requests.
        refused: queue pages and reviews that were not given, by status.
        not_taken: judgements that were not, by status.
    """

    queue_ms: list[float] = field(default_factory=list)
    look_ms: list[float] = field(default_factory=list)
    gone_ms: list[float] = field(default_factory=list)
    judgement_ms: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    not_taken: Counter[int] = field(default_factory=Counter)

    def add(self, other: Heard) -> None:
        """Adds what another run saw."""
        self.queue_ms += other.queue_ms
        self.look_ms += other.look_ms
        self.gone_ms += other.gone_ms
        self.judgement_ms += other.judgement_ms
        self.refused += other.refused
        self.not_taken += other.not_taken


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """One operator's login.

    Attributes:
        authorization: the header of every request.
        cookie: the mark of her browser, as that header has it.
        authenticator: holds her passkey.
    """

    authorization: str
    cookie: str
    authenticator: SoftwareAuthenticator


def ask(address: str, logins: list[Login], seconds: float) -> Heard:
    """What one client for each login hears in so many seconds, asking once a second each.

    Raises:
        ConnectionError: the service closed a connection.
    """
    host, _, port = address.removeprefix("http://").partition(":")
    return asyncio.run(_ask(host, int(port), logins, seconds))


async def _ask(host: str, port: int, logins: list[Login], seconds: float) -> Heard:
    heard = Heard()
    began = time.perf_counter()
    clients = [_Client(host, port, login, place) for place, login in enumerate(logins)]
    runs = [client.run(began + place / len(clients), seconds, heard) for place, client in enumerate(clients)]
    await asyncio.gather(*runs)
    return heard


class _Client:
    """One operator; she begins with one of the three, so that at any moment as many ask for each."""

    def __init__(self, host: str, port: int, login: Login, place: int) -> None:
        self._host, self._port, self._login = host, port, login
        self._begins_after_seconds = place % 3
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._page: list[dict[str, Any]] = []
        self._review_id: str | None = None

    async def run(self, began: float, seconds: float, heard: Heard) -> None:
        """Asks from `began` on, once a second."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        due, end = began + self._begins_after_seconds, began + SETTLED_SECONDS + seconds
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await self._ask(due, heard if due > began + SETTLED_SECONDS else Heard())
            due += 1.0
        self._writer.close()

    async def _ask(self, due: float, heard: Heard) -> None:
        if self._review_id is not None:
            await self._judge(self._review_id, due, heard)
            self._review_id = None
        elif self._page:
            await self._look(random.choice(self._page)["review_id"], due, heard)  # noqa: S311 - no secret
            self._page = []
        else:
            status, page = await self._send("GET", f"/api/v1/reviews?limit={PAGE}")
            if status == 200:
                heard.queue_ms.append(_since_ms(due))
                self._page = page["items"]
            else:
                heard.refused[status] += 1

    async def _look(self, review_id: str, due: float, heard: Heard) -> None:
        status, _ = await self._send("GET", f"/api/v1/reviews/{review_id}")
        if status == 200:
            heard.look_ms.append(_since_ms(due))
            self._review_id = review_id
        elif status == 404:  # two others opened it since the page: the next page does not have it
            heard.gone_ms.append(_since_ms(due))
        else:
            heard.refused[status] += 1

    async def _judge(self, review_id: str, due: float, heard: Heard) -> None:
        path, given = f"/api/v1/reviews/{review_id}/judgements", {"answer": "same_person"}
        status, asked = await self._send("POST", f"{path}/options", given)
        if status == 200:
            status, _ = await self._send("POST", path, signed_answer(given, asked, self._login.authenticator))
        if status == 201:
            heard.judgement_ms.append(_since_ms(due))
        else:
            heard.not_taken[status] += 1

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        if self._reader is None or self._writer is None:
            raise ConnectionError("not connected")
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            f"Authorization: {self._login.authorization}",
            f"Cookie: {self._login.cookie}",
            f"Idempotency-Key: {uuid.uuid4()}",
            "Content-Type: application/json",
            f"Content-Length: {len(content)}",
        ]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        answer = await self._reader.readexactly(int(headers["content-length"]))
        return int(head[0].split(" ")[1]), json.loads(answer)


def _since_ms(due: float) -> float:
    return (time.perf_counter() - due) * 1000
