"""The clip of a review and a camera's preview, in a real browser: played, shown, and let go of."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect, sync_playwright

from aiqyn.embedded.redis import EmbeddedRedis
from pipelines.acl import WorkerAccount
from pipelines.evidence_clip import Clip
from pipelines.live.preview import PreviewWriter
from tests.redis_server import find_kind
from tests.seeds import CAMERA, WORKER, drawn_frame
from tests.system.console_desk import Seat, Service, launch, running_service, seat

pytestmark = pytest.mark.system

PLAYS = "video => video.readyState >= 2 && video.currentTime > 0 && video.error === null"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    program = find_kind("6.2")
    assert not isinstance(program, str), program
    folder = tmp_path_factory.mktemp("redis")
    with EmbeddedRedis(program, folder, workers=[WorkerAccount(WORKER, (CAMERA,))]) as server:
        yield server


@pytest.fixture
def service(tmp_path: Path, redis: EmbeddedRedis) -> Iterator[Service]:
    with running_service(
        tmp_path,
        redis_url=redis.url,
        redis_username="api",
        redis_password=redis.password("api"),
        camera_ids=(CAMERA,),
    ) as running:
        yield running


def webm() -> Clip:
    """Two seconds of coarse blocks, as a worker makes them."""
    held = io.BytesIO()
    with av.open(held, "w", format="webm") as container:
        stream = container.add_stream("libvpx-vp9", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for index in range(10):
            image = np.ascontiguousarray(drawn_frame(index)[::2, ::2])
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")):
                container.mux(packet)
        container.mux(stream.encode())
    return Clip(held.getvalue(), "video/webm", 320, 180, 1.0, 2.0)


def take_in(service: Service, *, clip: bool) -> None:
    seeded = service.seeded
    pieces = seeded.evidence(1)
    made = (seeded.services.evidence.put_clip("clip_redacted", webm()),) if clip else ()
    seeded.take_in(1, evidence=(*pieces, *made))


def violations(taken: Seat) -> list[str]:
    return [one["id"] for one in Axe().run(taken.page).response["violations"]]


def blobs(taken: Seat) -> list[str]:
    return list(
        taken.page.evaluate(
            "() => [...document.querySelectorAll('img, video')].map(one => one.src).filter(Boolean)"
        )
    )


def test_a_clip_is_played_by_key_and_gone_with_the_review(browser: Browser, service: Service) -> None:
    take_in(service, clip=True)
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        assert taken.page.locator("video").count() == 0  # not before she asks
        asked = len([line for line in taken.asked if "/evidence/" in line])
        taken.page.keyboard.press("p")
        video = taken.page.locator(".clip video")
        video.wait_for()
        taken.page.wait_for_function(f"() => ({PLAYS})(document.querySelector('video'))")
        assert video.evaluate("video => [video.muted, video.videoWidth, video.videoHeight]") == [
            True,
            320,
            180,
        ]
        assert len([line for line in taken.asked if "/evidence/" in line]) == asked + 1
        assert video.evaluate("video => video.src").startswith("blob:")
        assert violations(taken) == []
        taken.screenshot("clip")
        taken.page.keyboard.press("p")  # once more, without asking again
        assert len([line for line in taken.asked if "/evidence/" in line]) == asked + 1
        taken.answer("2")
        address = video.evaluate("video => video.src")
        taken.page.keyboard.press("Enter")
        taken.page.wait_for_selector("section.empty")
        gone = "url => fetch(url).then(() => false, () => true)"
        assert taken.page.evaluate(gone, address)
        taken.complaints.clear()  # the browser says that what was let go of cannot be fetched
        assert blobs(taken) == []


def test_without_a_clip_that_is_said_and_the_answer_is_not_held_up(
    browser: Browser, service: Service
) -> None:
    take_in(service, clip=False)
    with seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        expect(taken.page.locator(".clip")).to_contain_text("There is no clip of this.")
        taken.page.keyboard.press("p")
        assert taken.page.locator("video").count() == 0
        assert violations(taken) == []
        taken.answer("2")
        assert taken.complaints == []


@contextmanager
def camera_gives_pictures(redis: EmbeddedRedis) -> Iterator[None]:
    """The worker's own writer, given a picture as often as a camera would."""
    writer = PreviewWriter(redis.connect(f"worker:{WORKER}"), WORKER, (CAMERA,))
    over = threading.Event()

    def give() -> None:
        while not over.wait(0.2):
            writer.alive(CAMERA)
            writer.show(CAMERA, drawn_frame(3))

    giving = threading.Thread(target=give)
    writer.start()
    giving.start()
    try:
        yield
    finally:
        over.set()
        giving.join()
        writer.close()


def test_a_preview_is_shown_while_she_looks(browser: Browser, service: Service, redis: EmbeddedRedis) -> None:
    take_in(service, clip=False)
    with camera_gives_pictures(redis), seat(browser, service) as taken:
        taken.enter("aigul")
        taken.open_oldest()
        assert not [line for line in taken.asked if line.endswith("/preview")]
        toggle = taken.page.locator(".preview button")
        toggle.click()
        image = taken.page.locator(".preview img")
        expect(image).to_be_visible(timeout=10_000)
        taken.page.wait_for_function("() => document.querySelector('.preview img').naturalWidth > 0")
        assert violations(taken) == []
        taken.screenshot("preview")
        toggle.click()
        expect(image).to_be_hidden()
        taken.page.wait_for_timeout(1500)
        asked = len([line for line in taken.asked if line.endswith("/preview")])
        taken.page.wait_for_timeout(1500)
        assert len([line for line in taken.asked if line.endswith("/preview")]) == asked
        assert taken.complaints == []
