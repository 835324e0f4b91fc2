"""`api.outlets.outbox`: what the bus took is noted, also where it refuses the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.outlets.outbox import OutboxPublisher
from api.store.ledger import OutboxRepository
from pipelines.errors import BusError
from tests.api_client import Clients, FakeClock
from tests.seeds import seed


class FullAfterOne:
    """Takes one receipt, and refuses from then on."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def publish(self, receipt: str) -> None:
        if self.taken:
            raise BusError("full")
        self.taken.append(receipt)

    publish_retraction = publish


@pytest.fixture
def clients(tmp_path: Path, clock: FakeClock) -> Iterator[Clients]:
    made = Clients(seed(tmp_path, clock=clock))
    yield made
    made.close()


def test_what_was_taken_before_the_bus_refused_is_not_sent_again(clients: Clients, clock: FakeClock) -> None:
    services = clients.seeded.services
    people = [clients.login(name) for name in ("aigul", "daniyar")]
    for number in (1, 2):
        clients.seeded.take_in(number)
    for person in people:
        for review in person.queue():
            assert person.answer(review["review_id"], "same_person").status_code == 201
    clock.forward(seconds=120)
    assert services.hold_clock.run_once() == 2
    sink = FullAfterOne()
    publisher = OutboxPublisher(services.database, sink, clock)
    with pytest.raises(BusError, match="full"):
        publisher.run_once()
    with services.database.read() as session:
        (left,) = OutboxRepository(session).unsent()
    assert left.event["receipt"] not in sink.taken
    assert len(sink.taken) == 1
