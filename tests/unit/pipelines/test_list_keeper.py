"""`pipelines.list_keeper`: which list a camera searches, on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.events import utc_now
from pipelines.gallery_bus import GalleryFollower
from pipelines.list_keeper import ListKeeper
from pipelines.search_lists import SearchList
from tests.worker_bench import MODELS, PREPROCESSING, Bench


class Camera:
    """Keeps the list it was given."""

    def __init__(self) -> None:
        self.list: SearchList | None = None

    def set_list(self, search_list: SearchList | None) -> None:
        """See `ListTaker`."""
        self.list = search_list


@pytest.fixture
def bench(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[Bench]:
    bench = Bench(tmp_path, redis_server)
    yield bench
    bench.close()


def test_a_list_withdrawn_and_put_back_between_two_looks_is_searched_again(bench: Bench) -> None:
    """Its version is the same; what was opened of it first is overwritten."""
    follower = GalleryFollower(bench.redis, bench.keys)
    keeper = ListKeeper(follower, MODELS, PREPROCESSING, utc_now)
    camera = Camera()
    package = bench.publish()
    follower.refresh(utc_now())
    assert keeper.put_in_force({"gate": camera}) == ()
    first = camera.list
    assert first is not None
    bench.publisher.withdraw("d1", "w1")
    follower.refresh(utc_now())
    bench.publisher.publish(package, bench.store.worker_sealing_key("w1"))
    follower.refresh(utc_now())
    assert [loss.deployment_id for loss in keeper.put_in_force({"gate": camera})] == ["d1"]
    assert first.gallery.wiped
    assert camera.list is not None
    assert not camera.list.gallery.wiped
