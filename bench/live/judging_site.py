"""A site on which people judge: the service, its bus and records, and who is signed in."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from aiqyn.demo.authenticator import SoftwareAuthenticator, page_origin, signed_answer
from aiqyn.demo.operators import sign_in
from aiqyn.embedded.redis_server import RedisServer
from api.review.cases import Role
from api.services import Services, build_services
from api.settings import settings_from
from api.store.models import Account, CandidateRecord, OutboxEvent, Review
from bench.live.kills_site import KillsSite, kills_site
from bench.live.spooler import numbered
from pipelines.config import load_config
from pipelines.events import unsigned_document
from pipelines.signing import sign_event
from pipelines.worker_keys import WorkerKeys

API = "/api/v1"


@dataclass(slots=True)
class Person:
    """Somebody signed in; every call is one request, given up when the service is gone.

    Attributes:
        account_id: her pseudonym.
        authenticator: holds her passkey; several windows use it, so it does not count.
        signed: answers she has signed, by the key they are sent under.
    """

    username: str
    account_id: str
    address: str
    authenticator: SoftwareAuthenticator = field(repr=False)
    http: httpx.Client = field(repr=False)
    signed: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def another(self) -> Person:
        """The same login in the same browser over a connection of its own."""
        http = httpx.Client(base_url=self.address, auth=self.http.auth, cookies=self.http.cookies, timeout=60)
        return replace(self, http=http)

    def get(self, path: str) -> httpx.Response:
        """GET; raises httpx.TransportError where nobody answers."""
        return self.http.get(API + path)

    def post(self, path: str, body: Mapping[str, Any], key: str | None = None) -> httpx.Response:
        """POST under a key of its own unless one is given; raises httpx.TransportError where nobody answers."""
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.http.post(API + path, json=dict(body), headers=headers)

    def answer(self, review_id: str, answer: str, key: str) -> httpx.Response:
        """Her answer to a review, signed once for each key; or why she may not sign it."""
        path, given = f"/reviews/{review_id}/judgements", {"answer": answer}
        if key not in self.signed:
            asked = self.post(f"{path}/options", given)
            if asked.status_code != httpx.codes.OK:
                return asked
            self.signed[key] = signed_answer(given, asked.json(), self.authenticator)
        return self.post(path, self.signed[key], key)


@dataclass(slots=True)
class JudgingSite:
    """The site and, in this process, its records.

    Attributes:
        records: services over the same database, without bus and threads.
        people: by user name, signed in.
    """

    site: KillsSite
    records: Services
    people: dict[str, Person]
    _keys: WorkerKeys
    _made: int = 0

    def bring_in(self) -> tuple[str, str]:
        """Ids of a fresh candidate and of its review."""
        self._made += 1
        unsigned = numbered(self.site.pattern, self._made)
        signature = sign_event(unsigned_document(unsigned), self._keys.candidates)
        candidate = unsigned.model_copy(update={"signature": signature})
        self.records.intake.accept(candidate)
        with self.records.database.read() as session:
            query = select(Review.review_id).where(Review.candidate_id == str(candidate.candidate_id))
            return str(candidate.candidate_id), session.scalars(query).one()

    def state(self, candidate_id: str) -> str:
        """Where a candidate stands."""
        with self.records.database.read() as session:
            return session.get_one(CandidateRecord, candidate_id).state

    def all_sent(self) -> bool:
        """Whether no hold runs and nothing waits in the outbox."""
        with self.records.database.read() as session:
            held = select(func.count()).where(CandidateRecord.state == "confirmed_held")
            unsent = select(func.count()).where(OutboxEvent.sent_at.is_(None))
            return not session.scalar(held) and not session.scalar(unsent)


@contextmanager
def judging_site(
    folder: Path, server: RedisServer, api: Mapping[str, object], people: Mapping[str, Role]
) -> Iterator[JudgingSite]:
    """A site with everybody signed in.

    Args:
        folder: empty, with a short path.
        server: the program of Redis.
        api: settings of the service.
        people: who works there.
    """
    with kills_site(folder, server, api=api, people=people) as site:
        settings = settings_from(load_config(site.config_path, environment={}))
        records = build_services(replace(settings, redis_url=None, run_background=False))
        keys = WorkerKeys.load(site.keys.folder / "workers" / site.pattern.worker_id)
        here = JudgingSite(site, records, {}, keys)
        try:
            for name in people:
                here.people[name] = _signed_in(here, name)
            yield here
        finally:
            for person in here.people.values():
                person.http.close()
            records.close()


def _signed_in(here: JudgingSite, name: str) -> Person:
    http = httpx.Client(base_url=here.site.address, timeout=60)
    authenticator = SoftwareAuthenticator(page_origin(here.site.address), counting=False)
    sign_in(http, here.site.people[name], authenticator)
    with here.records.database.read() as session:
        account_id = session.scalars(select(Account.account_id).where(Account.username == name)).one()
    return Person(name, account_id, here.site.address, authenticator, http)
