"""The child process that reads references: `python -m pipelines.reference_child`.

Pictures come from anybody. This process has no key, no password, no database, no list and, where the kernel lets an
ordinary user, no network; limits on memory and files that it cannot lift again; and ends with its parent. It is told
on standard input, first in one line of JSON which models to load, then picture after picture (`reference_wire`).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO, Any

from pipelines.model_child import end_with_parent, limit_this_process


def main() -> None:
    """Reads pictures until standard input ends."""
    pictures = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What libraries print must not mix with the answers.
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)
    request = json.loads(pictures.readline())
    end_with_parent(request["parent_id"])
    limit_this_process(request["memory_bytes"])
    _answer_all(request, pictures, answers)


def _answer_all(request: dict[str, Any], pictures: IO[bytes], answers: IO[bytes]) -> None:
    from pipelines.build import PerceptionOptions, build_perception
    from pipelines.reference_wire import PICTURE_HEAD, write_answer
    from vision.runtime import RuntimeOptions
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    weights_dir = Path(request["weights_dir"])
    calibration = request["calibration"]
    options = PerceptionOptions(
        detector=None,
        face_detector=request["face_detector"],
        embedder=request["embedder"],
        runtime=RuntimeOptions(("CPUExecutionProvider",), request["threads"]),
        calibration=Path(calibration) if calibration else None,
    )
    perception = build_perception(WeightStore(weights_dir, load_catalog(weights_dir)), options)
    write_answer(answers, "failed")  # says that it is ready: there is no picture yet
    while head := pictures.read(PICTURE_HEAD.size):
        (length,) = PICTURE_HEAD.unpack(head)
        write_answer(answers, _read(pictures.read(length), perception))


def _read(data: bytes, perception: Any) -> Any:
    from dataclasses import replace

    from pipelines.read_face import RefusedPictureError, read_face
    from vision.errors import ImageError, TooManyPixelsError, UnknownFormatError, VisionError
    from vision.images import decode_image

    engines = replace(perception.engines(), face_detector=perception.face_detector)
    try:
        return read_face(decode_image(data), engines)
    except TooManyPixelsError:
        return "too_many_pixels"
    except UnknownFormatError:
        return "not_a_picture"
    except ImageError:
        return "broken"
    except RefusedPictureError as error:
        return error.outcome
    except (VisionError, MemoryError):
        return "failed"


if __name__ == "__main__":
    main()
