"""The child that reads references: it reads as this process would, knows nothing, and costs nobody else when it dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.build import PerceptionOptions, build_perception
from pipelines.config import load_config
from pipelines.enrol import enrol_picture
from pipelines.errors import EnrolError
from pipelines.read_face import ReadFace
from pipelines.recipes import TemplateRecipe
from pipelines.reference_reader import MOST_PICTURE_BYTES, ReaderOptions, ReferenceReader
from tests.fake_footage import huge_png
from tests.waiting import wait_until
from vision.images import encode_png
from weights.catalog import load_catalog
from weights.store import WeightStore

pytestmark = [pytest.mark.models("centerface", "mobilefacenet-faceplugin"), pytest.mark.evaldata]


@pytest.fixture(scope="module")
def options() -> ReaderOptions:
    return ReaderOptions.of(load_config(None))


@pytest.fixture(scope="module")
def reader(options: ReaderOptions) -> Iterator[ReferenceReader]:
    with ReferenceReader(options) as made:
        yield made


@pytest.fixture(scope="module")
def photograph() -> bytes:
    folder = Path(os.environ["AIQYN_EVAL_DATA"]) / "faces" / "lfw2" / "images" / "Abdullah_Gul"
    return sorted(folder.iterdir())[0].read_bytes()


def child_of(reader: ReferenceReader) -> int:
    assert reader._child is not None
    return reader._child.pid


def test_it_reads_as_this_process_would(
    reader: ReferenceReader, options: ReaderOptions, photograph: bytes
) -> None:
    face = reader.read(photograph)
    assert isinstance(face, ReadFace)
    store = WeightStore(options.weights_dir, load_catalog(options.weights_dir))
    perception = build_perception(store, PerceptionOptions(detector=None))
    engines = replace(perception.engines(), face_detector=perception.face_detector)
    here = enrol_picture(photograph, "s", "p", engines)
    assert float(np.dot(face.embedding, here.embedding)) > 0.9999
    assert reader.recipe == TemplateRecipe.of(perception.models, perception.preprocessing)


def test_what_is_no_reference_is_a_word(reader: ReferenceReader, photograph: bytes) -> None:
    wall = encode_png(np.full((240, 240, 3), 127, np.uint8))
    given = {
        "not_a_picture": b"Dear operator, this is a letter.",
        "broken": photograph[: len(photograph) // 2],
        "too_many_pixels": huge_png(),
        "no_face": wall,
    }
    assert {word: reader.read(data) for word, data in given.items()} == {word: word for word in given}
    assert reader.read(bytes(MOST_PICTURE_BYTES + 1)) == "too_many_pixels"


def test_the_child_is_told_no_secret(
    reader: ReferenceReader, photograph: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIQYN_SECRET_REDIS", "hunter2")
    reader.close()
    assert isinstance(reader.read(photograph), ReadFace)
    environment = Path(f"/proc/{child_of(reader)}/environ").read_bytes()
    assert b"AIQYN" not in environment
    assert b"hunter2" not in environment


def test_a_child_that_dies_costs_one_picture(reader: ReferenceReader, photograph: bytes) -> None:
    assert isinstance(reader.read(photograph), ReadFace)
    os.kill(child_of(reader), signal.SIGSTOP)  # so that it dies with the picture in its hands
    os.kill(child_of(reader), signal.SIGKILL)
    assert reader.read(photograph) == "failed" or reader._child is not None
    assert isinstance(reader.read(photograph), ReadFace)


def test_a_child_that_hangs_is_ended_in_time(options: ReaderOptions, photograph: bytes) -> None:
    with ReferenceReader(replace(options, picture_seconds=0.5)) as reader:
        reader.read(photograph)
        pid = child_of(reader)
        os.kill(pid, signal.SIGSTOP)
        assert reader.read(photograph) == "failed"
        assert not Path(f"/proc/{pid}").exists()


def test_a_closed_reader_leaves_no_process(options: ReaderOptions, photograph: bytes) -> None:
    with ReferenceReader(options) as reader:
        reader.read(photograph)
        pid = child_of(reader)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), seconds=5)


def test_without_models_it_says_so(options: ReaderOptions, tmp_path: Path, photograph: bytes) -> None:
    with ReferenceReader(replace(options, weights_dir=tmp_path)) as reader, pytest.raises(EnrolError):
        reader.read(photograph)
