"""`pipelines.live.preview`: over a real Redis with the shipped rules; only while somebody looks, and nobody to be told."""

from __future__ import annotations

import numpy as np
import pytest
from redis import Redis
from structlog.testing import capture_logs

from pipelines.live.preview import (
    LIVES_MS,
    SHOWN_EVERY_SECONDS,
    SILENT_SECONDS,
    WIDTH_PX,
    PreviewWriter,
    preview_of,
)
from pipelines.streams import preview_key, preview_wanted_key
from tests.redis_server import api_redis, redis_program, redis_server, worker_redis
from tests.waiting import wait_until
from vision.images import decode_image
from vision.types import Image

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]

IMAGE: Image = np.random.default_rng(1).integers(0, 255, (480, 960, 3), dtype=np.uint8)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def writer(worker_redis: Redis, clock: Clock) -> PreviewWriter:
    return PreviewWriter(worker_redis, "w1", ("gate", "yard"), clock)


def look(api_redis: Redis, camera_id: str = "gate") -> None:
    api_redis.set(preview_wanted_key(camera_id), b"1", ex=5)


def shown(api_redis: Redis, camera_id: str = "gate") -> bytes | None:
    found = api_redis.get(preview_key(camera_id))
    assert found is None or isinstance(found, bytes)
    return found


def give(writer: PreviewWriter, image: Image = IMAGE, camera_id: str = "gate") -> None:
    writer.alive(camera_id)
    writer.show(camera_id, image)


def test_only_while_somebody_looks(writer: PreviewWriter, api_redis: Redis, clock: Clock) -> None:
    give(writer)
    assert writer.write() == 0
    look(api_redis)
    writer.write()
    give(writer)
    assert writer.write() == 1
    assert shown(api_redis) is not None
    assert shown(api_redis, "yard") is None
    api_redis.delete(preview_wanted_key("gate"))
    clock.now += 1
    give(writer)
    assert writer.write() == 0
    wait_until(lambda: shown(api_redis) is None, seconds=LIVES_MS / 1000 + 20)


def test_no_pixel_of_it_is_anybody(writer: PreviewWriter) -> None:
    image = decode_image(preview_of(IMAGE))
    assert image.shape[1] == WIDTH_PX
    blocks = image[:, :, 0].astype(int)
    steps = (np.abs(np.diff(blocks, axis=1)) > 12).mean()
    assert steps < 0.06, "blocks of 30 pixels in the small picture: nearly every neighbour is alike"
    assert (np.abs(np.diff(IMAGE[:, :, 0].astype(int), axis=1)) > 12).mean() > 0.8


def test_not_more_often_than_asked_for(writer: PreviewWriter, api_redis: Redis, clock: Clock) -> None:
    look(api_redis)
    writer.write()
    give(writer)
    writer.write()
    first = shown(api_redis)
    other = np.ascontiguousarray(IMAGE[::-1])
    clock.now += SHOWN_EVERY_SECONDS / 2
    give(writer, other)
    writer.write()
    assert shown(api_redis) == first
    clock.now += SHOWN_EVERY_SECONDS
    give(writer, other)
    writer.write()
    assert shown(api_redis) != first


def test_a_still_scene_is_shown_and_a_silent_camera_is_not(
    writer: PreviewWriter, api_redis: Redis, clock: Clock
) -> None:
    look(api_redis)
    writer.write()
    give(writer)
    clock.now += SILENT_SECONDS - 0.5
    assert writer.write() == 1
    clock.now += 60
    writer.alive("gate")
    assert writer.write() == 1
    clock.now += SILENT_SECONDS + 0.1
    assert writer.write() == 0


def test_what_is_no_picture_harms_nothing(writer: PreviewWriter, api_redis: Redis) -> None:
    look(api_redis)
    writer.write()
    with capture_logs() as logs:
        give(writer, np.empty((0, 0, 3), np.uint8))
    assert [entry["event"] for entry in logs] == ["preview_failed"]
    assert writer.write() == 0


def test_a_camera_that_joins_later_and_one_it_may_not_ask_about(
    writer: PreviewWriter, api_redis: Redis, worker_redis: Redis
) -> None:
    late = PreviewWriter(worker_redis, "w1", ("elsewhere",), lambda: 5.0)
    late.alive("gate")
    look(api_redis)
    give(late)
    assert late.write() == 0  # as long as it is not one of these
    late.cameras_are(("elsewhere", "gate"))
    late.alive("gate")
    assert late.write() == 0
    give(late)
    assert late.write() == 1


def test_by_itself_in_a_thread(worker_redis: Redis, api_redis: Redis) -> None:
    writer = PreviewWriter(worker_redis, "w1", ("gate",))
    look(api_redis)
    writer.start()

    def there() -> bool:
        give(writer)
        look(api_redis)
        return shown(api_redis) is not None

    wait_until(there, seconds=30)
    writer.close()
