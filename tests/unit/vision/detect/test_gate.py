"""The gate opens for people, near and far, in all weathers, and rests while only noise, light and leaves move."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import numpy as np
import pytest

from tests.gate_scenes import HEIGHT, WIDTH, Seen, Street, Walker, open_share, watch
from vision.detect.gate import GateDecision, GateOptions, MotionGate
from vision.errors import ImageError
from vision.polygons import Polygon

FAR = Walker(20, 36, height=10, speed=4.0)
"""A person of 40 pixels in a 1280-pixel picture, walking at half her height in a second."""


def reasons(seen: list[Seen]) -> Counter[str]:
    return Counter(one.decision.reason for one in seen)


def opened_at(seen: list[Seen], reason: str) -> list[float]:
    return [one.seconds for one in seen if one.decision.reason == reason]


@pytest.mark.parametrize("noise", [0.0, 2.0, 8.0, 20.0])
def test_noise_alone_never_opens_it(noise: float) -> None:
    seen = watch(Street(noise=noise), 40)
    assert reasons(seen)["motion"] == reasons(seen)["light"] == 0
    assert open_share(seen, 1, 40) == 0


@pytest.mark.parametrize("noise", [2.0, 8.0])
@pytest.mark.parametrize("fps", [1.0, 2.0, 5.0])
def test_a_small_distant_person_opens_it(noise: float, fps: float) -> None:
    seen = watch(Street(noise=noise, walkers=(FAR,)), 40, fps=fps)
    first = min(opened_at(seen, "motion"))
    assert FAR.begin <= first <= FAR.begin + 0.5 + 2 / fps
    assert open_share(seen, first, FAR.end) > 0.9


def test_a_person_in_dark_clothes_at_night_opens_it() -> None:
    night = Street(noise=4.0, light=lambda _: 0.25, walkers=(Walker(20, 36, height=20, shade=20),))
    seen = watch(night, 40)
    assert min(opened_at(seen, "motion")) <= 21
    assert open_share(seen, 21, 36) > 0.9


def test_somebody_near_opens_it_in_the_first_picture() -> None:
    near = Walker(20, 24, at=(-10.0, 20.0), speed=80.0, height=150)
    seen = watch(Street(walkers=(near,)), 30)
    assert min(opened_at(seen, "motion")) <= 20.2
    assert open_share(seen, 20.4, 24) == 1


def test_whoever_left_is_not_waited_for() -> None:
    seen = watch(Street(walkers=(FAR,)), 44)
    assert open_share(seen, FAR.end + 0.6, 44, beats=True) == 0
    assert [one.seconds for one in seen if FAR.end <= one.seconds and one.decision.open]


def test_whoever_stops_is_looked_at_for_a_while_and_then_ever_more_rarely() -> None:
    comes = Walker(20, 24, height=40, speed=20.0)
    stands = Walker(24, 90, at=(120.0, 60.0), height=40, speed=0.0)
    gate = MotionGate(GateOptions(linger_seconds=2.0, heartbeat_seconds=8.0))
    seen = watch(Street(walkers=(comes, stands)), 60, gate=gate)
    stopped = max(opened_at(seen, "motion"))
    assert 23.5 <= stopped <= 25.5
    assert open_share(seen, stopped + 0.1, stopped + 1.9) == 1
    beats = [t - stopped for t in opened_at(seen, "heartbeat") if t > stopped]
    assert beats[:3] == pytest.approx([4.0, 8.0, 16.0], abs=0.5)
    assert np.diff(beats).max() <= 8.2


def test_whoever_goes_on_is_seen_again_at_once() -> None:
    comes = Walker(20, 24, height=40, speed=20.0)
    stands = Walker(24, 40, at=(120.0, 60.0), height=40, speed=0.0)
    goes = Walker(40, 44, at=(120.0, 60.0), height=40, speed=20.0)
    seen = watch(Street(walkers=(comes, stands, goes)), 44)
    assert [t for t in opened_at(seen, "motion") if 40 <= t <= 40.9]


def test_the_picture_of_a_light_switch_is_looked_at_and_then_it_rests() -> None:
    seen = watch(Street(light=lambda t: 1.0 if t < 20 else 0.55), 40)
    assert opened_at(seen, "light") == [20.0]
    assert reasons(seen)["motion"] == 0
    assert open_share(seen, 20.5, 40) == 0


def test_dusk_and_the_cameras_own_exposure_are_no_motion() -> None:
    dusk = watch(Street(light=lambda t: 1 - 0.5 * t / 120), 40)
    assert reasons(dusk)["motion"] == 0
    exposure = watch(Street(light=lambda t: 1.0 if t < 20 else max(0.7, 1 - 0.2 * (t - 20))), 40)
    assert open_share(exposure, 19, 40) < 0.1


def exposure(seconds: float) -> float:
    """A camera that darkens the picture while something white fills it."""
    if seconds < 20.4 or seconds > 26:
        return 1.0
    return max(0.6, 1 - 0.5 * (seconds - 20.4)) if seconds < 24 else min(1.0, 0.6 + 0.3 * (seconds - 24))


def test_a_white_van_that_changes_the_exposure_is_seen_all_the_way() -> None:
    van = Walker(20, 24, at=(-40.0, 20.0), speed=100.0, height=140, shade=250)
    seen = watch(Street(light=exposure, walkers=(van,)), 40)
    assert open_share(seen, 20.2, 24) > 0.9
    assert open_share(seen, 30, 40) == 0


def test_a_lamp_on_part_of_the_picture_opens_it_briefly() -> None:
    seen = watch(Street(lamp=(20, 60, 200, 40.0)), 60)
    assert opened_at(seen, "motion")
    assert open_share(seen, 24, 60) == 0


def test_a_lamp_that_flickers_for_long_becomes_usual() -> None:
    seen = watch(Street(light=lambda t: 1.0 if int(t) % 2 else 1.25), 60)
    assert open_share(seen, 30, 60) < 0.05


@pytest.mark.parametrize(
    "weather",
    [Street(streaks=20), Street(streaks=60), Street(flakes=40), Street(shake=0.7)],
    ids=["rain", "heavy rain", "snow", "wind at the camera"],
)
def test_weather_seldom_opens_it(weather: Street) -> None:
    assert open_share(watch(weather, 40), 15, 40) < 0.1


@pytest.mark.parametrize("weather", ["streaks", "flakes"])
def test_a_person_in_the_rain_opens_it(weather: str) -> None:
    walker = Walker(30, 42, height=14, speed=6.0)
    street = (
        Street(streaks=40, walkers=(walker,))
        if weather == "streaks"
        else Street(flakes=30, walkers=(walker,))
    )
    seen = watch(street, 42)
    assert open_share(seen, 32, 42) > 0.85


def test_leaves_sway_and_a_person_beside_them_is_seen() -> None:
    tree = (10, 10, 110, 130)
    seen = watch(Street(leaves=tree, walkers=(Walker(50, 62, at=(170.0, 90.0), height=14),)), 62)
    assert open_share(seen, 20, 50) < 0.35
    assert open_share(seen, 51, 62) > 0.95


def test_a_place_where_people_always_walk_stays_open() -> None:
    rng = np.random.default_rng(7)
    crowd = tuple(
        Walker(t, t + 14, at=(-10.0 if d > 0 else WIDTH + 10.0, y), speed=25.0 * d, height=int(40 + y / 4), shade=c)
        for t, d, y, c in zip(
            np.sort(rng.uniform(-10, 120, 90)).tolist(),
            rng.choice([-1, 1], 90).tolist(),
            rng.uniform(20, 100, 90).tolist(),
            rng.uniform(5, 120, 90).tolist(),
            strict=True,
        )
    )  # fmt: skip
    assert open_share(watch(Street(walkers=crowd), 60), 1, 60) > 0.98


LEFT = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))


def test_under_a_mask_nothing_moves() -> None:
    masked = Walker(10, 20, at=(20.0, 60.0), height=40, speed=5.0)  # stays in the left half
    free = Walker(24, 34, at=(200.0, 60.0), height=40, speed=5.0)
    gate = MotionGate(masks=[LEFT])
    seen = watch(Street(walkers=(masked, free)), 36, gate=gate)
    assert open_share(seen, 1, 24) == 0
    assert open_share(seen, 24.4, 34) > 0.95
    assert open_share(watch(Street(walkers=(masked, free)), 24), 10.4, 20) > 0.95


def test_a_mask_over_most_of_the_picture_leaves_the_rest_its_own_light() -> None:
    """What flickers under it is no light; what changes beside it is."""
    most = Polygon(((0.0, 0.0), (0.75, 0.0), (0.75, 1.0), (0.0, 1.0)))
    screen = Street(lamp=(20, 90, 0, 60.0), walkers=(Walker(20, 22, at=(150.0, 20.0), height=150, shade=10),))
    lit = watch(screen, 30, gate=MotionGate(masks=[most]))
    assert opened_at(lit, "light") == [20.0]
    tree = watch(Street(leaves=(0, 0, 236, 178)), 40, gate=MotionGate(masks=[most]))
    assert open_share(tree, 1, 40) == 0


def test_masks_change_between_two_pictures() -> None:
    street = Street(walkers=(Walker(5, 40, at=(20.0, 60.0), height=40, speed=3.0),))
    gate = MotionGate()
    assert open_share(watch(street, 10, gate=gate), 6, 10) == 1
    gate.set_masks([LEFT])
    assert open_share(watch(street, 10, gate=gate, start=10), 12.5, 20) == 0
    gate.set_masks([])
    assert open_share(watch(street, 5, gate=gate, start=20), 21, 25) == 1


def test_a_heartbeat_comes_in_time_however_the_pictures_come() -> None:
    gate = MotionGate(GateOptions(heartbeat_seconds=4.0))
    rng = np.random.default_rng(3)
    now, street, looks = 0.0, Street(), []
    for index in range(200):
        now += float(rng.uniform(0.03, 0.4))
        if gate.see(street.picture(index, now), now).open:
            looks.append(now)
    assert max(np.diff([*looks, now])) <= 4.0 + 0.4
    assert len(looks) <= 3 + now / 4.0


def test_after_a_gap_somebody_who_came_meanwhile_is_seen() -> None:
    street = Street(walkers=(Walker(100, 130, at=(150.0, 60.0), height=40, speed=0.0),))
    gate = MotionGate()
    watch(street, 20, gate=gate)
    assert opened_at(watch(street, 2, gate=gate, start=110), "motion")


@pytest.mark.parametrize("shape", [(90, 160), (180, 321), (1, 1), (1, 700), (2160, 3840)], ids=str)
def test_another_size_starts_anew_and_any_size_will_do(shape: tuple[int, int]) -> None:
    gate = MotionGate(masks=[LEFT])
    watch(Street(), 4, gate=gate)
    still = np.full(shape, 90, np.uint8)
    assert gate.see(still, 5.0) == GateDecision(True, "first")
    decisions = [gate.see(still, 5.2 + step / 5).reason for step in range(20)]
    assert set(decisions) <= {"linger", "still", "heartbeat"}


def test_a_clock_that_starts_over_starts_anew_and_a_late_picture_does_not() -> None:
    gate, picture = MotionGate(), Street().picture(0, 0)
    gate.see(picture, 100.0)
    assert gate.see(picture, 99.5).reason == "linger"
    assert gate.see(picture, 0.0).reason == "first"


def test_it_says_how_much_moves() -> None:
    seen = watch(Street(walkers=(Walker(10, 14, height=60, speed=20.0),)), 14)
    shares = [one.decision.moving_share for one in seen if one.decision.reason == "motion"]
    body = np.pi * 30 * 0.19 * 60 / (WIDTH * HEIGHT)
    assert 0.2 * body < np.median(shares) < 2 * body
    assert all(one.decision.moving_share == 0 for one in seen if one.decision.reason in ("still", "linger"))


def test_what_is_smaller_than_wanted_does_not_count() -> None:
    street = Street(walkers=(FAR,))
    assert not opened_at(watch(street, 36, gate=MotionGate(GateOptions(min_moving_share=0.01))), "motion")


def test_the_same_pictures_give_the_same_decisions() -> None:
    street = Street(streaks=20, walkers=(FAR,))
    assert watch(street, 30) == watch(street, 30)


def test_memory_does_not_grow() -> None:
    pictures = [Street(streaks=40).picture(index, index / 60) for index in range(20)]
    gate = MotionGate()
    sizes = []
    tracemalloc.start()
    for index in range(600):
        gate.see(pictures[index % 20], index / 500)  # so many that no moment holds them all
        if index in (199, 599):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 200_000
    assert sizes[1] < 10_000_000


@pytest.mark.parametrize(
    ("picture", "pts_seconds"),
    [
        (np.zeros((4, 4, 3), np.uint8), 0.0),
        (np.zeros((4, 4), np.float32), 0.0),
        (np.zeros((0, 4), np.uint8), 0.0),
        (np.zeros((4, 4), np.uint8), float("nan")),
        (np.zeros((4, 4), np.uint8), float("inf")),
    ],
    ids=["colour", "floats", "empty", "no time", "endless time"],
)
def test_what_is_no_picture_is_refused(picture: np.ndarray, pts_seconds: float) -> None:
    with pytest.raises(ImageError, match="the gate needs"):
        MotionGate().see(picture, pts_seconds)


@pytest.mark.parametrize(
    "options",
    [
        {"min_moving_share": 0.0},
        {"min_moving_share": 2.0},
        {"linger_seconds": -1.0},
        {"heartbeat_seconds": 0.0},
    ],
    ids=str,
)
def test_options_that_mean_nothing_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        GateOptions(**options)
