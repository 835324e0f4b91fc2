"""A file is looked at before any of it runs: what is not ONNX, not true, or points elsewhere is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from pipelines.errors import ModelCheckError
from pipelines.model_file import ModelFile, inspect, with_single_batch
from tests.model_builders import (
    EmbedderFlaws,
    embedder,
    embedder_model,
    external,
    external_weights,
    huge_tensor,
)
from vision.runtime import InferenceSession

GOOD = embedder()


def test_a_complete_file_stays_as_it_is() -> None:
    assert inspect(GOOD) == ModelFile(GOOD, 17, "tests", ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"no model at all, only words " * 9, "not an ONNX file, or a truncated one", id="text"),
        pytest.param(GOOD[:-20], "not an ONNX file, or a truncated one", id="a little truncated"),
        pytest.param(GOOD[:100], "not an ONNX file, or a truncated one", id="truncated"),
        pytest.param(GOOD[:2], "not an ONNX file, or a truncated one", id="only its beginning"),
        pytest.param(b"PK\x03\x04" + bytes(50), r"a zip archive; a PyTorch file \(.pt\)", id="zip"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull", id="lfs"),
        pytest.param(b"\n<!DOCTYPE html><html>", "a web page", id="web page"),
        pytest.param(
            embedder(EmbedderFlaws(domain="com.acme")), "'Flatten' of 'com.acme'", id="custom operator"
        ),
        pytest.param(huge_tensor(), "'huge' declares 750,000,000 values and does not carry", id="3 GB"),
    ],
)
def test_what_is_no_model_is_one_line(content: bytes, said: str) -> None:
    with pytest.raises(ModelCheckError, match=said) as caught:
        inspect(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "location",
    ["/etc/passwd", "../weights.bin", "sub/weights.bin", "..", ".", "", "a\\b", "x/../weights.bin"],
)
def test_weights_elsewhere_are_never_opened(tmp_path: Path, location: str) -> None:
    inner = tmp_path / "inner"
    (inner / "sub").mkdir(parents=True)
    for folder in (tmp_path, inner, inner / "sub"):
        (folder / "weights.bin").write_bytes(external_weights())
    with pytest.raises(ModelCheckError, match="is not a file beside it; it was not opened"):
        inspect(external(location), inner)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(external_weights())
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "weights.bin").symlink_to(secret)
    with pytest.raises(ModelCheckError, match="which is a link or cannot be read"):
        inspect(external("weights.bin"), inner)


def test_a_pipe_or_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ModelCheckError, match="no regular file"):
            inspect(external(name), tmp_path)


@pytest.mark.parametrize(("offset", "length"), [(0, 10**9), (10**9, 4), (-4, 4), (0, -1)])
def test_weights_beyond_the_file_are_refused(tmp_path: Path, offset: int, length: int) -> None:
    (tmp_path / "weights.bin").write_bytes(external_weights())
    with pytest.raises(ModelCheckError, match=r"wants .* bytes at"):
        inspect(external("weights.bin", offset, length), tmp_path)


def test_weights_beside_it_are_taken_in(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"head" + external_weights())
    file = inspect(external("weights.bin", 4), tmp_path)
    assert file.rewritten == "weights of weights.bin taken into the file"
    picture = np.random.default_rng(1).random((1, 3, 32, 32), np.float32)
    complete, wanted = (
        InferenceSession(content).run({"input": picture})[0] for content in (file.content, GOOD)
    )
    assert np.array_equal(complete, wanted)


def test_weights_beside_it_need_a_folder_and_a_file(tmp_path: Path) -> None:
    with pytest.raises(ModelCheckError, match="keeps weights in another file"):
        inspect(external("weights.bin"))
    with pytest.raises(ModelCheckError, match="is not beside it; copy it there"):
        inspect(external("weights.bin"), tmp_path)


def test_weights_elsewhere_are_found_inside_attributes_and_graphs(tmp_path: Path) -> None:
    hidden = numpy_helper.from_array(np.zeros(4, np.float32), "hidden")
    hidden.ClearField("raw_data")
    hidden.data_location = onnx.TensorProto.EXTERNAL
    entry = hidden.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    constant = helper.make_node("Constant", [], ["c"])
    constant.attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=hidden))
    inner = helper.make_graph([constant], "inner", [], [])
    for node in (constant, helper.make_node("If", ["go"], ["out"], then_branch=inner, else_branch=inner)):
        model = embedder_model()
        model.graph.node.append(node)
        with pytest.raises(ModelCheckError, match="'/etc/passwd', which is not a file beside it"):
            inspect(model.SerializeToString(), tmp_path)


def test_labels_in_the_file_are_read_and_nothing_of_them_is_run() -> None:
    def labels(text: str) -> tuple[str, ...]:
        model = embedder_model()
        helper.set_model_props(model, {"names": text})
        return inspect(model.SerializeToString()).labels

    assert labels("{0: 'car', 1: 'bus'}") == ("car", "bus")
    for text in ("{1: 'car'}", "['car']", "{", "__import__('os').abort()", "{0: " * 5000, "()" * 200_000):
        assert labels(text) == ()


def test_one_picture_a_call_is_declared() -> None:
    mended = with_single_batch(inspect(GOOD))
    assert InferenceSession(mended.content).inputs[0].shape == (1, 3, 32, 32)
    assert mended.rewritten == "declared to take one picture a call"
