"""An operator's client: everything it gets is kept as it came."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import httpx

from aiqyn.demo.authenticator import SoftwareAuthenticator
from aiqyn.demo.operators import Account, judge, sign_in
from api.relying_party import RelyingParty

_API: Final = "/api/v1"


@dataclass(frozen=True, slots=True)
class Answered:
    """One HTTP response as a client sees it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float


class Operator:
    """One operator's client: her own connection and login."""

    def __init__(self, http: httpx.Client, authenticator: SoftwareAuthenticator) -> None:
        self._http = http
        self._authenticator = authenticator

    @classmethod
    def signed_in(cls, address: str, username: str, one_time_password: str) -> Operator:
        """With a fresh login."""
        http = httpx.Client(base_url=address, timeout=30)
        authenticator = SoftwareAuthenticator(RelyingParty().origin)
        sign_in(http, Account(username, one_time_password), authenticator)
        return cls(http, authenticator)

    def get(self, path: str) -> Answered:
        """A response, and how long it took."""
        began = time.perf_counter()
        response = self._http.get(_API + path)
        seconds = time.perf_counter() - began
        headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
        return Answered(response.status_code, headers, response.content, seconds)

    def look(self, review_id: str) -> dict[str, Answered]:
        """Opens a review, every picture of it, and the review again."""
        shown = {"review": self.get(f"/reviews/{review_id}")}
        if shown["review"].status != httpx.codes.OK:
            return shown
        review = httpx.Response(200, content=shown["review"].body).json()
        pictures = {"frame": review["frame"], "probe": review["probe"], "clip": review["clip"]}
        pictures |= {
            "reference" if not number else f"reference-{number}": one
            for number, one in enumerate(review["references"])
        }
        for kind, picture in sorted(pictures.items()):
            if picture is not None:
                shown[kind] = self.get(f"/evidence/{picture['evidence_id']}")
        shown["review again"] = self.get(f"/reviews/{review_id}")
        shown["frame again"] = self.get(f"/evidence/{review['frame']['evidence_id']}")
        return shown

    def answer(self, review_id: str, answer: str) -> int:
        """Answers; returns the status."""
        try:
            judge(self._http, review_id, {"answer": answer}, self._authenticator)
        except httpx.HTTPStatusError as refused:
            return refused.response.status_code
        return int(httpx.codes.CREATED)

    def another_window(self) -> Operator:
        """A further connection with the same login, in the same browser."""
        http = httpx.Client(
            base_url=self._http.base_url, auth=self._http.auth, cookies=self._http.cookies, timeout=30
        )
        return Operator(http, self._authenticator)

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()
