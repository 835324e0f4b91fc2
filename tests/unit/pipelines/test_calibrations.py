"""Calibration files: what is shipped, what a site writes and reads again, and what is refused with a way out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.calibrations import EmbedderInUse, load_calibration, save_calibration
from pipelines.config import load_config
from pipelines.errors import ConfigError
from tests.fake_calibration import strewn_sample

IN_USE = EmbedderInUse("some-embedder", "a" * 64, "embedder:bgr/112x112")
SHIPPED = ("dlib-resnet", "mobilefacenet-faceplugin")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.json"
    save_calibration(path, "site", strewn_sample(400), IN_USE)
    return path


def changed(path: Path, **changes: Any) -> Path:
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps(document | changes))
    return path


@pytest.mark.parametrize("embedder_id", SHIPPED)
def test_every_default_embedder_has_one(embedder_id: str) -> None:
    calibration = load_calibration(embedder_id)
    sample = calibration.model.sample
    assert (sample.people, sample.picture_count) == (844, 1583)
    assert calibration.name.startswith("lfw2:")
    point = calibration.operating_point(
        gallery_templates=4, gallery_subjects=4, false_alerts_per_1000_faces=1.0
    )
    assert point.expected_false_alerts_per_1000_faces == 1.0


def test_what_is_written_is_read_again(file: Path) -> None:
    saved = save_calibration(file, "site", strewn_sample(400), IN_USE)
    read = load_calibration("some-embedder", file, in_use=IN_USE)
    assert read.name == saved.name
    assert read.disagreement_similarity == saved.disagreement_similarity
    for size, rate in ((1, 10.0), (50, 1.0), (5000, 0.1)):
        points = [
            each.operating_point(
                gallery_templates=size, gallery_subjects=size, false_alerts_per_1000_faces=rate
            )
            for each in (saved, read)
        ]
        assert points[0] == points[1]


def test_the_name_tells_one_measurement_from_another(file: Path) -> None:
    again = save_calibration(file, "site", strewn_sample(400), IN_USE)
    other = save_calibration(file, "site", strewn_sample(400, seed=1), IN_USE)
    assert again.name != other.name
    assert again.name.partition(":")[0] == other.name.partition(":")[0] == "site"


def test_a_file_holds_numbers_and_no_names(file: Path) -> None:
    document = json.loads(file.read_bytes())
    assert set(document) == {
        "schema", "name", "embedder_id", "embedder_sha256", "preprocessing", "pictures", "pairs", "complete",
        "strangers_similarity",
    }  # fmt: skip
    columns = [document["pictures"], *document["pairs"].values()]
    assert all(isinstance(value, int) for column in columns for value in column)


def test_an_embedder_without_one_is_refused_with_the_command_that_makes_one() -> None:
    with pytest.raises(ConfigError, match=r"'unheard-of' has no calibration.*aiqyn evaluate calibration"):
        load_calibration("unheard-of")


@pytest.mark.parametrize(
    ("in_use", "message"),
    [
        (EmbedderInUse("some-embedder", "b" * 64, IN_USE.preprocessing), "another file of some-embedder"),
        (EmbedderInUse("some-embedder", "a" * 64, "embedder:rgb"), "faces prepared in another way"),
    ],
)
def test_one_of_another_model_is_refused(file: Path, in_use: EmbedderInUse, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"site\.json: .*{message}.*aiqyn evaluate calibration"):
        load_calibration("some-embedder", file, in_use=in_use)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"embedder_id": "other"}, "is of embedder 'other'", id="another embedder"),
        pytest.param({"pictures": [1]}, "not a calibration: pictures", id="one person"),
        pytest.param({"pictures": [1, 1]}, "nobody's", id="pictures of nobody"),
        pytest.param({"extra": 1}, "not a calibration: extra", id="unknown key"),
        pytest.param({"schema": "aiqyn.calibration/2"}, "not a calibration: schema", id="another version"),
        pytest.param({"strangers_similarity": 3}, "not a calibration: strangers", id="no cosine"),
        pytest.param({"pictures": [2**70] * 400}, "not a calibration: pictures", id="too large a number"),
        pytest.param({"pictures": [10_000_000] * 400}, "more than 10000000 pictures", id="too many pictures"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(file: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_calibration("some-embedder", changed(file, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "site.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"site\.json: not a calibration"):
        load_calibration("some-embedder", path)


def test_what_is_no_file_is_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing.json", tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigError, match=r"aiqyn evaluate calibration"):
            load_calibration("some-embedder", path)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        save_calibration(tmp_path / "no" / "site.json", "site", strewn_sample(400), IN_USE)
    with pytest.raises(ConfigError, match="'two words' cannot be written"):
        save_calibration(tmp_path / "site.json", "two words", strewn_sample(400), IN_USE)
    with pytest.raises(ConfigError, match="measure more people"):
        save_calibration(tmp_path / "site.json", "site", strewn_sample(20), IN_USE)
    assert list(tmp_path.iterdir()) == []


def test_the_settings_name_a_sites_own(tmp_path: Path) -> None:
    settings = tmp_path / "aiqyn.yaml"
    settings.write_text("identification:\n  calibration: site.json\n")
    assert load_config(settings, environment={}).identification.calibration == tmp_path / "site.json"
