"""What crosses between a process that holds keys and the child that reads pictures for it.

To the child: a length (8 bytes), then the picture as it came. From it: a length (4 bytes), then a JSON document; where
the picture could be used, the portrait's pixels and the template follow. Pixels, not an encoded picture: whatever a
hostile picture made of the child, the parent parses nothing of it but numbers of known sizes.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, fields
from typing import IO, Any, Final

import numpy as np

from pipelines.read_face import PORTRAIT_SIZE_PX, ReadFace
from vision.face.quality import REASONS, FaceQuality

PICTURE_HEAD: Final = struct.Struct(">Q")
ANSWER_HEAD: Final = struct.Struct(">I")
MOST_HEADER_BYTES: Final = 64 * 1024
MOST_DIMENSIONS: Final = 4096
PORTRAIT_BYTES: Final = PORTRAIT_SIZE_PX * PORTRAIT_SIZE_PX * 3

REFUSALS: Final = frozenset({
    "not_a_picture", "too_many_pixels", "broken", "no_face", "several_faces", "failed",
})  # fmt: skip
"""Why a picture cannot be used. `failed`: reading it ended the child, or took too long."""


class WireError(Exception):
    """An answer that is none: the child ended, or is not itself any more."""


def write_answer(stream: IO[bytes], answer: ReadFace | str) -> None:
    """What the child says of one picture; a word of `REFUSALS` where it cannot be used."""
    if isinstance(answer, str):
        _write_header(stream, {"refused": answer})
    else:
        quality = asdict(answer.quality)
        header = {"quality": quality, "other_faces": answer.other_faces, "dimension": len(answer.embedding)}
        _write_header(stream, header)
        stream.write(np.ascontiguousarray(answer.portrait, np.uint8).tobytes())
        stream.write(np.ascontiguousarray(answer.embedding, "<f4").tobytes())
    stream.flush()


def read_answer(stream: IO[bytes]) -> ReadFace | str:
    """As `write_answer` wrote it; everything is checked, for the child may be anybody's.

    Raises:
        WireError: it ended, or says what nothing of ours says.
    """
    (length,) = ANSWER_HEAD.unpack(_exactly(stream, ANSWER_HEAD.size))
    if length > MOST_HEADER_BYTES:
        raise WireError("an answer that is too long")
    try:
        header = json.loads(_exactly(stream, length))
    except (ValueError, RecursionError) as error:
        raise WireError("an answer that is no JSON") from error
    if not isinstance(header, dict):
        raise WireError("an answer that is no object")
    if "refused" in header:
        if header["refused"] not in REFUSALS:
            raise WireError("a refusal nobody knows")
        return str(header["refused"])
    dimension, other_faces = header.get("dimension"), header.get("other_faces")
    if type(dimension) is not int or not 1 <= dimension <= MOST_DIMENSIONS or type(other_faces) is not bool:
        raise WireError("an answer without its sizes")
    portrait = np.frombuffer(_exactly(stream, PORTRAIT_BYTES), np.uint8)
    embedding = np.frombuffer(_exactly(stream, 4 * dimension), "<f4").astype(np.float32)
    if not np.isfinite(embedding).all() or abs(float(np.linalg.norm(embedding)) - 1.0) > 1e-3:
        raise WireError("a template that is not of unit length")
    shape = (PORTRAIT_SIZE_PX, PORTRAIT_SIZE_PX, 3)
    return ReadFace(portrait.reshape(shape).copy(), embedding, quality_of(header.get("quality")), other_faces)


def quality_of(document: Any) -> FaceQuality:
    """A face's quality out of JSON.

    Raises:
        WireError: not every measure is a finite number, or a reason nobody knows.
    """
    names = {field.name for field in fields(FaceQuality)}
    if not isinstance(document, dict) or set(document) != names:
        raise WireError("a quality with other measures")
    good, reasons = document["good"], document["reasons"]
    if type(good) is not bool or not isinstance(reasons, list) or not set(map(str, reasons)) <= set(REASONS):
        raise WireError("a quality nobody measured")
    numbers = {name: document[name] for name in names - {"good", "reasons"}}
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in numbers.values()):
        raise WireError("a quality that is no number")
    return FaceQuality(good=good, reasons=tuple(str(reason) for reason in reasons), **numbers)


def _write_header(stream: IO[bytes], document: dict[str, Any]) -> None:
    header = json.dumps(document).encode()
    stream.write(ANSWER_HEAD.pack(len(header)) + header)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise WireError("its process ended")
    return data
