"""Scripted operators: plain HTTP clients that know what their screens show and the clip's ground truth.

They sign in with their one-time password as a person would and register a passkey, look at every picture of a
review, answer, put the passkey to the answer, and read what is revealed to them afterwards. They import nothing of
the service, and what they are asked to sign they read first.
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from aiqyn.demo.authenticator import SoftwareAuthenticator, page_origin, signed_answer
from aiqyn.demo.footage.truth import GroundTruth
from aiqyn.demo.likeness import PictureAlbum
from vision.images import decode_image

Answer = Literal["same_person", "different", "cannot_tell"]

_API = "/api/v1"
_POLL_SECONDS = 0.5
_PICTURES_PER_REVIEW = 3
LOOK_SECONDS = 1.0
"""How long they look before they answer; the service of the demo asks for no more."""


@dataclass(frozen=True, slots=True)
class Account:
    """A first account, as set-up hands it to its owner."""

    username: str
    one_time_password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Given:
    """One answer of one operator, and what she was told afterwards."""

    review_id: str
    username: str
    answer: Answer
    revealed: dict[str, Any]


class Eyes:
    """What an attentive operator makes of a screen, given that she knows who walked through the hall."""

    def __init__(self, truth: GroundTruth, album: PictureAlbum) -> None:
        """Looks with `truth` for the person in the frame and with `album` for the person in the reference."""
        self._truth = truth
        self._album = album

    def judge(self, review: dict[str, Any], reference: bytes) -> Answer:
        """Her answer to one review.

        Args:
            review: as `GET /reviews/{review_id}` gives it.
            reference: the reference portrait, JPEG.
        """
        x0, y0, x1, y1 = review["frame"]["face_xyxy"]
        person_id = self._truth.person_at(review["pts_seconds"], (x0, y0, x1, y1))
        shown = self._album.recognise(decode_image(reference))
        if person_id is None or shown is None:
            return "cannot_tell"
        return "same_person" if self._truth.subject_of(person_id) == shown else "different"


class ScriptedOperator:
    """One operator with her own connection and session."""

    def __init__(self, address: str, account: Account, eyes: Eyes) -> None:
        """Not signed in yet; `address` is the service's, without a path."""
        self._http = httpx.Client(base_url=address, timeout=30)
        self._account = account
        self._authenticator = SoftwareAuthenticator(page_origin(address))
        self._eyes = eyes
        self.answers: list[Given] = []

    def sign_in(self) -> None:
        """Signs in, registers a passkey and replaces the one-time password.

        Raises:
            httpx.HTTPStatusError: the service refused.
        """
        sign_in(self._http, self._account, self._authenticator)

    def work(self, stop: threading.Event) -> None:
        """Answers reviews as they come until `stop` is set.

        Raises:
            httpx.HTTPStatusError: the service refused something an operator may do.
        """
        self._write("/shifts")
        while not stop.is_set():
            for review in self._call("GET", "/reviews").json()["items"]:
                self._answer(review["review_id"])
            stop.wait(_POLL_SECONDS)
        self._write("/shifts/current/end", {})

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def _answer(self, review_id: str) -> None:
        review = self._call("GET", f"/reviews/{review_id}").json()
        looked_enough = time.monotonic() + LOOK_SECONDS
        pictures = [review["frame"], review["probe"], *review["references"]]
        shown = [self._call("GET", f"/evidence/{picture['evidence_id']}").content for picture in pictures]
        if len(shown) < _PICTURES_PER_REVIEW:
            raise ValueError(f"review {review_id} shows {len(shown)} pictures; nobody can judge that")
        answer = self._eyes.judge(review, shown[2])
        time.sleep(max(0.0, looked_enough - time.monotonic()))
        judge(self._http, review_id, {"answer": answer}, self._authenticator)
        revealed = self._call("GET", f"/reviews/{review_id}/reveal").json()
        self.answers.append(Given(review_id, self._account.username, answer, revealed))

    def _write(self, path: str, body: dict[str, Any] | None = None) -> None:
        self._call("POST", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        response = self._http.request(method, _API + path, **options)
        response.raise_for_status()
        return response


class Tokens(httpx.Auth):
    """A login's tokens: the access token in every request, the next pair when it is over."""

    requires_response_body = True

    def __init__(self, login: dict[str, Any]) -> None:
        """`login` is what the service answered."""
        self._access, self._refresh = login["access_token"], login["refresh_token"]

    @property
    def header(self) -> str:
        """What a client that writes its own requests sends as `Authorization`, for as long as it is good."""
        return f"Bearer {self._access}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """The request; once more with new tokens, where those it had were over."""
        request.headers["Authorization"] = self.header
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        address = request.url.copy_with(raw_path=f"{_API}/auth/refresh".encode())
        renewed = yield httpx.Request("POST", address, json={"refresh_token": self._refresh})
        if renewed.status_code == httpx.codes.OK:
            login = renewed.json()
            self._access, self._refresh = login["access_token"], login["refresh_token"]
            request.headers["Authorization"] = self.header
            yield request


def judge(
    http: httpx.Client, review_id: str, given: dict[str, Any], authenticator: SoftwareAuthenticator
) -> dict[str, Any]:
    """Gives an answer, with a passkey put to what the service says it will be; returns what the service says.

    Args:
        http: signed in.
        review_id: which review.
        given: `answer`, and `reason` and `reason_code` where there are any.
        authenticator: holds the passkey of the account.

    Raises:
        httpx.HTTPStatusError: the service refused.
        ValueError: the challenge is not that of the statement.
    """
    path = f"{_API}/reviews/{review_id}/judgements"
    response = http.post(f"{path}/options", json=given)
    response.raise_for_status()
    body = signed_answer(given, response.json(), authenticator)
    taken = http.post(path, json=body, headers=_new_key())
    taken.raise_for_status()
    return dict(taken.json())


def sign_in(
    http: httpx.Client, account: Account, authenticator: SoftwareAuthenticator | None = None
) -> Tokens:
    """Signs a client in for good: with the one-time password, a passkey, a new password, and that one.

    Returns the tokens the client goes on with.

    Args:
        http: keeps the cookie that marks a browser, as any client does.
        account: whose one-time password was not used yet.
        authenticator: keeps the passkey; one that is thrown away where the client does not judge.

    Raises:
        httpx.HTTPStatusError: the service refused.
    """
    password = secrets.token_urlsafe(18)
    _log_in(http, account.username, account.one_time_password)
    _register(http, authenticator or SoftwareAuthenticator(page_origin(str(http.base_url))))
    http.post(f"{_API}/auth/password", json={"password": password}).raise_for_status()
    return _log_in(http, account.username, password)


def _register(http: httpx.Client, authenticator: SoftwareAuthenticator) -> None:
    asked = http.post(f"{_API}/passkeys/options")
    asked.raise_for_status()
    body = {"label": "demo", "credential": authenticator.create(asked.json()["creation"])}
    http.post(f"{_API}/passkeys", json=body, headers=_new_key()).raise_for_status()


def _new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _log_in(http: httpx.Client, username: str, password: str) -> Tokens:
    http.auth = httpx.Auth()  # none: what is there may be of an earlier login
    response = http.post(f"{_API}/auth/login", json={"username": username, "password": password})
    response.raise_for_status()
    tokens = Tokens(response.json())
    http.auth = tokens
    return tokens
