"""The demo's people: approved by its own authoriser, signed in for good, kept in by refreshing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import update

from aiqyn.demo.authenticator import SoftwareAuthenticator
from aiqyn.demo.operators import sign_in
from aiqyn.demo.people import AUTHORISER, add_people
from api.keys.store import KeyStore
from api.review.cases import Role
from api.services import build_services
from api.store.models import LoginSession
from pipelines.events import utc_now
from tests.api_client import API
from tests.fuzzing import listening
from tests.seeds import CHEAP_PASSWORDS, make_settings


def test_they_arrive_approved_and_stay_logged_in(tmp_path: Path) -> None:
    KeyStore.init(tmp_path / "keys", data_dir=tmp_path / "data")
    services = build_services(make_settings(tmp_path), passwords=CHEAP_PASSWORDS)
    operator, supervisor = add_people(
        services, {"operator-1": Role.OPERATOR, "supervisor-1": Role.SUPERVISOR}
    )
    assert {line.username: line.active for line in services.accounts.all()}[AUTHORISER]
    with listening(services) as (address, _), httpx.Client(base_url=address, trust_env=False) as http:
        sign_in(http, operator, SoftwareAuthenticator(services.settings.party.origin))
        assert http.get(f"{API}/me").json()["role"] == "operator"
        with services.database.write() as session:
            session.execute(update(LoginSession).values(expires_at=utc_now() - timedelta(seconds=1)))
        assert http.get(f"{API}/reviews").status_code == 200
        sign_in(http, supervisor, SoftwareAuthenticator(services.settings.party.origin))
        assert http.get(f"{API}/me").json()["role"] == "supervisor"
