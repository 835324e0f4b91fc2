"""What a child says of a picture is believed only as far as it can be checked."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from pipelines.read_face import ReadFace
from pipelines.reference_wire import ANSWER_HEAD, PORTRAIT_BYTES, WireError, read_answer, write_answer
from vision.face.quality import FaceQuality

QUALITY = FaceQuality(90.0, 0.9, 120.0, 0.1, good=False, reasons=("too_small",))
FACE = ReadFace(np.arange(PORTRAIT_BYTES, dtype=np.int64).astype(np.uint8).reshape(320, 320, 3),
                np.eye(1, 512, dtype=np.float32)[0], QUALITY, other_faces=True)  # fmt: skip


def said(answer: ReadFace | str) -> bytes:
    stream = io.BytesIO()
    write_answer(stream, answer)
    return stream.getvalue()


def with_header(rest: bytes = b"", **changes: object) -> bytes:
    header = {"quality": asdict(QUALITY), "other_faces": False, "dimension": 512} | changes
    text = json.dumps(header).encode()
    return ANSWER_HEAD.pack(len(text)) + text + rest


def test_a_face_comes_back_as_it_was() -> None:
    back = read_answer(io.BytesIO(said(FACE)))
    assert isinstance(back, ReadFace)
    assert (back.quality, back.other_faces) == (QUALITY, True)
    assert np.array_equal(back.portrait, FACE.portrait)
    assert np.array_equal(back.embedding, FACE.embedding)


def test_a_refusal_comes_back_as_it_was() -> None:
    assert read_answer(io.BytesIO(said("no_face"))) == "no_face"


PIXELS = bytes(PORTRAIT_BYTES)
HALF = (np.ones(512, "<f4") / 2).tobytes()
NAN = np.full(512, np.nan, "<f4").tobytes()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(said(FACE)[:-1], id="cut off"),
        pytest.param(ANSWER_HEAD.pack(2**31) + b"{}", id="a header without end"),
        pytest.param(ANSWER_HEAD.pack(2) + b"[]", id="no object"),
        pytest.param(ANSWER_HEAD.pack(2) + b"{x", id="no JSON"),
        pytest.param(ANSWER_HEAD.pack(60000) + b"[" * 60000, id="deep"),
        pytest.param(said("no_face").replace(b"no_face", b"noxface"), id="unknown refusal"),
        pytest.param(with_header(PIXELS + HALF), id="not of unit length"),
        pytest.param(with_header(PIXELS + NAN), id="not a number"),
        pytest.param(with_header(PIXELS, dimension=0), id="no dimension"),
        pytest.param(with_header(PIXELS, dimension=10**9), id="too many dimensions"),
        pytest.param(with_header(PIXELS, dimension=True), id="a truth in place of a number"),
        pytest.param(with_header(PIXELS, other_faces="no"), id="a word in place of a truth"),
        pytest.param(with_header(quality={}), id="no quality"),
        pytest.param(with_header(quality=asdict(replace(QUALITY, reasons=("evil",)))), id="unknown reason"),
        pytest.param(with_header(quality=asdict(replace(QUALITY, score=float("nan")))), id="no score"),
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    if b'"quality": {}' in answer or b"evil" in answer or b"NaN" in answer:
        answer += PIXELS + FACE.embedding.tobytes()
    with pytest.raises(WireError):
        read_answer(io.BytesIO(answer))


def test_nothing_of_a_face_is_printed() -> None:
    assert repr(FACE) == "ReadFace(dimension=512)"
