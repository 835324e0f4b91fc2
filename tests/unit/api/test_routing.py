"""A request in one thread: what it runs through, how many at once, and what happens to a route that would wait."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel

from api.routing import OneThreadRoute, _run_through, api_router, in_the_same_thread


class Told(BaseModel):
    """What a route is told."""

    word: str


class Crowd:
    """How many are in a route at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = self.most = 0

    def __call__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.05)
        with self._lock:
            self._now -= 1


CROWD = Crowd()


def thread() -> int:
    return threading.get_ident()


def threads(before: Annotated[int, Depends(in_the_same_thread(thread))]) -> list[int]:
    return [before, threading.get_ident()]


def told(body: Told) -> Told:
    return body


def crowd() -> None:
    CROWD()


async def waits() -> None:
    await asyncio.sleep(0)


def asked(*requests: tuple[str, str, Any]) -> list[httpx.Response]:
    """The answers to requests that are sent at once."""
    router = api_router(tags=["test"])
    router.add_api_route("/threads", threads)
    router.add_api_route("/told", told, methods=["POST"])
    router.add_api_route("/crowd", crowd)
    router.add_api_route("/waits", waits)
    app = FastAPI(routes=router.routes)

    async def send() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
            return await asyncio.gather(*(http.request(how, path, json=body) for how, path, body in requests))

    return asyncio.run(send())


def test_dependencies_and_endpoint_run_in_one_thread_and_not_that_of_the_loop() -> None:
    (answer,) = asked(("GET", "/threads", None))
    before, then = answer.json()
    assert before == then != threading.get_ident()


def test_a_body_is_there_when_the_thread_begins() -> None:
    right, wrong = asked(("POST", "/told", {"word": "yes"}), ("POST", "/told", {"word": 1}))
    assert (right.status_code, right.json()) == (200, {"word": "yes"})
    assert wrong.status_code == 422


def assert_few_are_worked_on_at_once() -> None:
    CROWD.most = 0
    answers = asked(*[("GET", "/crowd", None)] * ((os.cpu_count() or 1) + 12))
    assert {answer.status_code for answer in answers} == {200}
    assert 1 < CROWD.most <= (os.cpu_count() or 1) + 2


def test_no_more_are_worked_on_at_once_than_processors_and_two() -> None:
    assert_few_are_worked_on_at_once()


def test_a_service_without_that_limit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.routing._at_once", lambda: None)
    with pytest.raises(AssertionError):
        assert_few_are_worked_on_at_once()


def test_a_body_that_breaks_off_is_no_fault_of_the_service() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    route = OneThreadRoute("/told", told, methods=["POST"])
    request = Request({"type": "http", "method": "POST", "headers": [], "path": "/told"}, receive)
    with pytest.raises(HTTPException, match="broke off"):
        asyncio.run(route.get_route_handler()(request))


def test_a_route_that_would_wait_fails_at_once() -> None:
    (answer,) = asked(("GET", "/waits", None))
    assert answer.status_code == 500


def test_its_coroutine_says_what_is_wrong() -> None:
    async def late() -> Response:
        await asyncio.sleep(0)
        return Response()

    with pytest.raises(RuntimeError, match="waited for the event loop"):
        _run_through(late())
