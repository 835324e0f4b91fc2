"""What tests of lists over HTTP need: a reader of painted faces in this process, and requests that keep the rules."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from api.ledger.chain import check_chain
from api.reference_jobs import ReferenceJobs
from api.services import Services
from api.store.ledger import LedgerRepository
from api.store.models import LedgerEntry
from api.vault import SubjectVault
from pipelines.read_face import ReadFace, RefusedPictureError, read_face
from pipelines.recipes import TemplateRecipe
from tests.api_client import Clients, Person
from tests.fake_engine import CALIBRATION, FakeEmbedder, fake_engines, photograph
from tests.seeds import RECIPE, Seeded
from vision.errors import ImageError, UnknownFormatError
from vision.images import decode_image, encode_png


class PaintedReader:
    """Reads painted faces, in this process: for tests of everything around the child."""

    def __init__(self, recipe: TemplateRecipe = RECIPE, noise: float = 0.3) -> None:
        self.recipe = recipe
        self.calibration = CALIBRATION
        self.pictures_read = 0
        self._engines = fake_engines(embedder=FakeEmbedder(noise))

    def read(self, data: bytes) -> ReadFace | str:
        """As `pipelines.reference_reader.PictureReader`."""
        self.pictures_read += 1
        try:
            return read_face(decode_image(data), self._engines)
        except RefusedPictureError as error:
            return error.outcome
        except UnknownFormatError:
            return "not_a_picture"
        except ImageError:
            return "broken"

    def close(self) -> None:
        """There is no child."""


def with_reader(services: Services, reader: PaintedReader | None = None) -> Services:
    """The services, whose jobs read painted faces."""
    vault = SubjectVault(services.keys)
    of = reader or PaintedReader()
    clock = services.lists.jobs._clock
    jobs = ReferenceJobs(services.database, vault, clock, lambda: of, 1.0)
    return replace(services, lists=replace(services.lists, jobs=jobs))


def clients_with_reader(seeded: Seeded, reader: PaintedReader | None = None) -> Clients:
    """A running application whose jobs read painted faces."""
    return Clients(replace(seeded, services=with_reader(seeded.services, reader)))


def picture(person: int, number: int = 0) -> bytes:
    """A photograph of a painted person, PNG."""
    return encode_png(photograph(person, number))


def entry_body(clients: Clients, pictures: Sequence[bytes], **changes: Any) -> dict[str, Any]:
    """A request to list somebody, by the rules."""
    now = clients.seeded.services.lists.jobs._clock()
    body = {
        "name": "Aizhan Seitkali",
        "purpose": "find a person reported missing",
        "legal_basis": "Law on search for missing persons, art. 12",
        "case_reference": "2026-00518",
        "expires_at": (now + timedelta(days=60)).isoformat(),
        "pictures": [
            {"data_base64": base64.b64encode(one).decode(), "source": "family album"} for one in pictures
        ],
    }
    return body | changes


def deployment_body(clients: Clients, **changes: Any) -> dict[str, Any]:
    """A request to search the seeded list, by the rules."""
    now = clients.seeded.services.lists.jobs._clock()
    body = {
        "watchlist_id": clients.seeded.watchlist_id,
        "camera_ids": ["gate", "hall"],
        "place": "main station, both entrances",
        "purpose": "find people reported missing",
        "legal_basis": "Law on search for missing persons, art. 12",
        "case_reference": "2026-00518",
        "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(days=14)).isoformat(),
    }
    return body | changes


def file_entry(clients: Clients, person: Person, pictures: Sequence[bytes], **changes: Any) -> str:
    """The id of a request for an entry whose pictures were read."""
    body = entry_body(clients, pictures, **changes)
    made = person.post(f"/watchlists/{clients.seeded.watchlist_id}/entries", body)
    assert made.status_code == 201, made.text
    read_all(clients)
    return str(made.json()["request_id"])


def read_all(clients: Clients) -> None:
    """Every picture that waits is read."""
    while clients.seeded.services.lists.jobs.run_once():
        continue


def approve(clients: Clients, person: Person, request_id: str, **changes: Any) -> Any:
    """An approval by somebody who was shown every finding."""
    found = len(person.get(f"/requests/{request_id}").json()["findings"])
    body = {"findings_seen": found, "reason": "order 17 of the prosecutor"} | changes
    return person.post(f"/requests/{request_id}/approval", body)


def patch(person: Person, path: str, body: dict[str, Any]) -> Any:
    """PATCH with a fresh Idempotency-Key."""
    return person.send("PATCH", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})


def kinds_since(clients: Clients, sequence: int = 0) -> list[str]:
    """What the ledger says happened, in order; the chain holds."""
    with clients.seeded.services.database.read() as session:
        check_chain(LedgerRepository(session).page(0, 10_000))
        query = select(LedgerEntry.kind).where(LedgerEntry.sequence > sequence).order_by(LedgerEntry.sequence)
        return list(session.scalars(query))
