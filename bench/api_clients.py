"""Operators as programs: each asks for its queue once a second and answers one review of it, over HTTP of its own.

The client is thin on purpose: it shares the machine with what it measures. A request's time runs from when it was due,
so that a service that falls behind is not measured only when it is ready.
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
SETTLED_SECONDS: Final = 3.0
"""At the beginning, not counted: connections are made, caches filled."""


@dataclass(slots=True)
class Heard:
    """What a run of clients saw.

    Attributes:
        queue_ms: time of each queue page, milliseconds.
        judgement_ms: time of each judgement that was taken.
        refused: queue pages that were not given, by status.
        not_taken: judgements that were not, by status; 409: another operator was faster.
    """

    queue_ms: list[float] = field(default_factory=list)
    judgement_ms: list[float] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    not_taken: Counter[int] = field(default_factory=Counter)


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
    clients = [_Client(host, port, login) for login in logins]
    runs = [client.run(began + place / len(clients), seconds, heard) for place, client in enumerate(clients)]
    await asyncio.gather(*runs)
    return heard


class _Client:
    def __init__(self, host: str, port: int, login: Login) -> None:
        self._host, self._port, self._login = host, port, login
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, began: float, seconds: float, heard: Heard) -> None:
        """Asks at `began` and every second from there."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        due, end = began, began + SETTLED_SECONDS + seconds
        while due < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            status, page = await self._send("GET", f"/api/v1/reviews?limit={PAGE}")
            seen = heard if due > began + SETTLED_SECONDS else Heard()
            if status == 200:
                seen.queue_ms.append((time.perf_counter() - due) * 1000)
            else:
                seen.refused[status] += 1
            if status == 200 and page["items"]:
                await self._judge(random.choice(page["items"]), seen)  # noqa: S311 - no secret
            due += 1.0
        self._writer.close()

    async def _judge(self, review: dict[str, Any], heard: Heard) -> None:
        """One answer, from asking what is to be signed for it until it is taken: two requests, one figure."""
        started = time.perf_counter()
        path, given = f"/api/v1/reviews/{review['review_id']}/judgements", {"answer": "same_person"}
        status, asked = await self._send("POST", f"{path}/options", given)
        if status == 200:
            status, _ = await self._send("POST", path, signed_answer(given, asked, self._login.authenticator))
        if status == 201:
            heard.judgement_ms.append((time.perf_counter() - started) * 1000)
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
