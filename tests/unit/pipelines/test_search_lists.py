"""`pipelines.search_lists`: which list a camera searches, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.events import utc_now
from pipelines.search_lists import ListSlot, choose_lists, prepare_list
from tests.worker_bench import MODELS, PREPROCESSING, make_package
from vision.errors import GalleryError


def test_a_list_ends_by_the_clock_whoever_forgot_to_take_it_away() -> None:
    package = make_package()
    now = utc_now()
    slot = ListSlot(lambda: now)
    slot.put(prepare_list(package, MODELS, PREPROCESSING))
    assert slot.current() is not None
    now = package.active_until
    assert slot.current() is None
    now = package.active_from - timedelta(seconds=1)
    assert slot.current() is None


def test_a_list_that_was_refused_stays_so_until_another_comes() -> None:
    slot = ListSlot(utc_now)
    bad, good = (prepare_list(make_package(), MODELS, PREPROCESSING) for _ in range(2))
    slot.put(bad)
    slot.refuse(bad)
    assert slot.current() is None
    slot.put(good)
    assert slot.current() is good
    slot.put(None)
    assert slot.current() is None


def test_the_deployment_that_began_first_is_searched_and_the_others_are_named() -> None:
    first = make_package()
    later = replace(first, deployment_id="d0", active_from=first.active_from + timedelta(seconds=30))
    elsewhere = replace(first, deployment_id="d9", cameras=("dock",))
    chosen = choose_lists([later, elsewhere, first], ["gate", "dock", "roof"])
    assert chosen == {"gate": (first, ("d0",)), "dock": (elsewhere, ()), "roof": (None, ())}


@pytest.mark.parametrize(
    ("enrolled", "own", "fits"),
    [
        pytest.param("embedder:a", "embedder:a", True, id="the same"),
        pytest.param("embedder:a", "embedder:b", False, id="another"),
        pytest.param(
            "detector:x embedder:a", "detector:y embedder:a", True, id="another detector does not matter"
        ),
        pytest.param("", "embedder:a", True, id="not said"),
    ],
)
def test_faces_must_have_been_prepared_alike(enrolled: str, own: str, fits: bool) -> None:
    package = replace(make_package(), preprocessing=enrolled)
    if fits:
        assert len(prepare_list(package, MODELS, own).gallery) == 2
    else:
        with pytest.raises(GalleryError, match="enrol --refresh"):
            prepare_list(package, MODELS, own)


def test_nothing_of_a_template_shows() -> None:
    shown = repr(prepare_list(make_package(), MODELS, PREPROCESSING))
    assert "templates=(2, 512)" in shown
    assert "0." not in shown
