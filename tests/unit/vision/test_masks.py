"""Under a privacy mask nothing shows, at any size and angle; beside it hardly anything is lost."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from tests.builders import noise
from vision.errors import ImageError
from vision.masks import Masks, burn, covers, rasterise
from vision.polygons import Polygon
from vision.types import Bool

SIZES = [(1, 1), (2, 3), (7, 5), (31, 17), (64, 48), (101, 77), (160, 90)]
SAMPLES = 4


def polygons(seed: int, count: int = 8) -> list[Polygon]:
    """Stars of 3 to 9 corners anywhere, slivers among them; some reach the picture's edge."""
    rng = np.random.default_rng(seed)
    made: list[Polygon] = []
    while len(made) < count:
        corners = int(rng.integers(3, 10))
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        radii = rng.uniform(0.02, 0.6, corners) * rng.choice([1.0, 0.1], corners)
        x = np.clip(rng.uniform() + radii * np.cos(angles), 0, 1)
        y = np.clip(rng.uniform() + radii * np.sin(angles), 0, 1)
        try:
            made.append(Polygon(tuple(zip(x.tolist(), y.tolist(), strict=True))))
        except ValueError:
            continue
    return made


def rectangle(degrees: float, thickness: float = 0.02) -> Polygon:
    """A narrow bar through the middle, turned."""
    turn = math.radians(degrees)
    along = np.array([math.cos(turn), math.sin(turn)]) * 0.45
    across = np.array([-math.sin(turn), math.cos(turn)]) * thickness / 2
    corners = [along + across, along - across, -along - across, -along + across]
    return Polygon(tuple((0.5 + x, 0.5 + y) for x, y in np.array(corners).tolist()))


def touched(polygon: Polygon, size_wh: tuple[int, int]) -> Bool:
    """Pixels in which one of 4 × 4 points, or a point of the outline, lies within the polygon: slowly, but surely."""
    width, height = size_wh
    steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
    x = (np.arange(width)[:, np.newaxis] + steps).ravel() / width
    y = (np.arange(height)[:, np.newaxis] + steps).ravel() / height
    inside = winding(np.array(polygon.points), *np.meshgrid(x, y))
    pixels: Bool = np.asarray(inside.reshape(height, SAMPLES, width, SAMPLES).any(axis=(1, 3)))
    ends = (*polygon.points[1:], polygon.points[0])
    for (x1, y1), (x2, y2) in zip(polygon.points, ends, strict=True):
        along = np.linspace(0, 1, 4 * (width + height))
        columns = np.clip((x1 + along * (x2 - x1)) * width, 0, width - 1e-9).astype(int)
        rows = np.clip((y1 + along * (y2 - y1)) * height, 0, height - 1e-9).astype(int)
        pixels[rows, columns] = True
    return pixels


def winding(corners: npt.NDArray[np.float64], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Bool:
    """Inside by the sum of angles: another way than the one under test."""
    total = np.zeros(x.shape)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        first, second = np.arctan2(a[1] - y, a[0] - x), np.arctan2(b[1] - y, b[0] - x)
        total += (second - first + np.pi) % (2 * np.pi) - np.pi
    inside: Bool = np.abs(total) > np.pi
    return inside


@pytest.mark.parametrize("size_wh", SIZES, ids=str)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_touched_pixel_is_left(size_wh: tuple[int, int], seed: int) -> None:
    for polygon in polygons(seed):
        assert not (touched(polygon, size_wh) & ~rasterise([polygon], size_wh)).any(), polygon


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_no_angle_leaves_a_sliver(degrees: int) -> None:
    for size_wh in ((101, 77), (160, 91)):
        bar = rectangle(degrees)
        assert not (touched(bar, size_wh) & ~rasterise([bar], size_wh)).any()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_mask_reaches_three_pixels_beside_itself_at_most(seed: int) -> None:
    size_wh = (101, 77)
    for polygon in polygons(seed):
        near = np.zeros((size_wh[1] + 6, size_wh[0] + 6), np.bool_)
        found = touched(polygon, size_wh)
        for down in range(7):
            for right in range(7):
                near[down : down + size_wh[1], right : right + size_wh[0]] |= found
        assert not (rasterise([polygon], size_wh) & ~near[3:-3, 3:-3]).any()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_inwards_no_pixel_beside_the_mask_is_hidden(seed: int) -> None:
    size_wh = (101, 77)
    width, height = size_wh
    steps = (np.arange(SAMPLES) + 0.5) / SAMPLES
    x = (np.arange(width)[:, np.newaxis] + steps).ravel() / width
    y = (np.arange(height)[:, np.newaxis] + steps).ravel() / height
    for polygon in polygons(seed):
        inside = winding(np.array(polygon.points), *np.meshgrid(x, y))
        whole = inside.reshape(height, SAMPLES, width, SAMPLES).all(axis=(1, 3))
        assert not (rasterise([polygon], size_wh, outward=False) & ~whole).any()
    big = Polygon(((0.1, 0.1), (0.9, 0.1), (0.9, 1.0), (0.1, 1.0)))
    assert rasterise([big], size_wh, outward=False).mean() > 0.6
    assert rasterise([big], size_wh, outward=False)[-1].any()  # to the picture's very edge


@pytest.mark.parametrize("size_wh", SIZES, ids=str)
def test_nothing_under_a_mask_shows_and_the_rest_stays(size_wh: tuple[int, int]) -> None:
    masks = Masks(polygons(5, 3))
    image = np.maximum(noise(size_wh), 1)  # no pixel is black by itself
    grey = image[..., 0].copy()
    before = image.copy()
    masks.burn(image)
    masks.burn(grey)
    under = rasterise(masks.polygons, size_wh)
    assert (image[under] == 0).all()
    assert (image[~under] == before[~under]).all()
    assert ((grey == 0) == under).all()


def test_a_mask_follows_the_size_of_the_picture() -> None:
    masks = Masks([Polygon(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0)))])
    for size_wh in ((64, 48), (161, 91), (64, 48)):
        image = np.full((size_wh[1], size_wh[0], 3), 200, np.uint8)
        masks.burn(image)
        assert not image[:, size_wh[0] // 2 :].any()
        assert image[:, : size_wh[0] // 2 - 3].all()


def test_without_polygons_nothing_is_masked() -> None:
    image = noise()
    before = image.copy()
    image.flags.writeable = False
    burn(image, [])
    assert (image == before).all()
    assert not rasterise([], (5, 4)).any()


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.float32), np.zeros(4, np.uint8), np.frombuffer(bytes(16), np.uint8).reshape(4, 4)],
    ids=["no bytes", "no picture", "read-only"],
)
def test_what_cannot_be_masked_is_refused(image: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match="writeable"):
        burn(image, polygons(1, 1))


@pytest.mark.parametrize("size_wh", [(0, 4), (4, 0), (20_000, 4)])
def test_sizes_beyond_reason_are_refused(size_wh: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="1 to 16384"):
        rasterise(polygons(1, 1), size_wh)


LEFT_HALF = Polygon(((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
TOP_HALF = Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5)))


def test_people_are_where_they_stand_and_faces_where_they_are() -> None:
    boxes = np.array([[10, 10, 20, 40], [60, 10, 70, 40], [10, 10, 20, 60]], np.float32)
    assert covers(boxes, (100, 100), [LEFT_HALF]).tolist() == [True, False, True]
    assert covers(boxes, (100, 100), [TOP_HALF]).tolist() == [True, True, False]
    assert covers(boxes, (100, 100), [TOP_HALF], "centre").tolist() == [True, True, True]
    assert covers(boxes, (100, 100), [TOP_HALF, LEFT_HALF]).tolist() == [True, True, True]
    assert covers(boxes, (100, 100), []).tolist() == [False, False, False]
    assert covers(np.zeros((0, 4), np.float32), (100, 100), [LEFT_HALF]).shape == (0,)


def test_who_stands_at_or_beyond_the_edge_is_under_a_mask_along_it() -> None:
    bottom = Polygon(((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)))
    boxes = np.array([[0, 60, 20, 100], [80, 60, 100, 100], [-20, 60, 10, 120]], np.float32)
    assert covers(boxes, (100, 100), [bottom]).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_covering_agrees_with_angles(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (300, 2)).astype(np.float32)
    size = np.array([2, 4], np.float32)
    boxes = np.concatenate([points - size, points + size * np.array([1, 0], np.float32)], axis=1)
    for polygon in polygons(seed):
        x, y = (points.astype(np.float64) / 100).T
        wanted = winding(np.array(polygon.points), x, y)
        assert (covers(boxes, (100, 100), [polygon]) == wanted).mean() > 0.99
