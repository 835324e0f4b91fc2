"""A service over an empty data folder, a folder of painted references, and terms that keep the rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from aiqyn.enrolment import ListTerms
from api.keys.store import KeyStore
from api.services import Services, build_services
from tests.api_client import FakeClock
from tests.fake_engine import paint, photograph
from tests.seeds import CHEAP_PASSWORDS, make_settings
from vision.images import encode_png


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def services(tmp_path: Path, clock: FakeClock) -> Iterator[Services]:
    keys = KeyStore.init(tmp_path / "keys", data_dir=tmp_path / "data", now=clock() - timedelta(days=1))
    keys.create_worker("w1", now=clock() - timedelta(days=1))
    made = build_services(make_settings(tmp_path), clock=clock, passwords=CHEAP_PASSWORDS)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three people: two with pictures, one of whom only a picture without a face is there."""
    references = tmp_path / "references"
    shown: dict[str, list[int | None]] = {"Akmaral": [1, 1], "Timur": [2], "Nobody": [None]}
    for name, pictures in shown.items():
        (references / name).mkdir(parents=True)
        for number, person in enumerate(pictures):
            picture = paint([]) if person is None else photograph(person, number)
            (references / name / f"{number}.png").write_bytes(encode_png(picture))
    return references


@pytest.fixture
def terms(clock: FakeClock) -> ListTerms:
    return ListTerms(
        watchlist="Missing persons",
        purpose="find them",
        deployment_id="d1",
        cameras=frozenset({"gate"}),
        active_from=clock(),
        active_until=clock() + timedelta(days=30),
        requested_by="a. officer",
        authorised_by="b. prosecutor",
        legal_basis="art. 12",
        case_reference="7",
        image_source="family",
    )
