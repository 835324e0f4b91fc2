"""The folder a run over files writes: evidence, annotated video, results to go on from.

    OUT/analysis.json                     what --json prints
    OUT/manifest.json                     who, what, when, what for, with sums of every file
    OUT/results/SUM.json                  one finished input; read when the run is repeated
    OUT/evidence/SUM/candidate-N/         frame_redacted.jpg, probe.jpg
    OUT/annotated/NAME-SUM.mp4

SUM is the beginning of the input's SHA-256. The unredacted frame is not copied: it is in the input, and
every candidate says where. Folders are readable by their owner only.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipelines.analysis import EvidenceFile
from pipelines.annotate import AnnotatedVideo
from pipelines.errors import EvidenceError
from pipelines.findings import BestLook, FrameResult
from pipelines.manifest import MANIFEST_NAME, FileRecord, Manifest, record_file, write_whole
from pipelines.pictures import shown_pictures
from vision.images import encode_jpeg
from vision.types import Image

_SUM_LETTERS = 16


class OutputFolder:
    """Where one run writes.

    Args:
        root: created where it does not exist.

    Raises:
        EvidenceError: it cannot be created.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EvidenceError(f"{root}: cannot be created ({error.strerror})") from error

    def input_writer(self, input_sha256: str, name: str) -> InputWriter:
        """For the evidence of one input."""
        return InputWriter(self, input_sha256[:_SUM_LETTERS], name)

    def read_result(self, input_sha256: str, key: str) -> str | None:
        """The result of an input that was searched with the same key; None where there is none."""
        try:
            kept = json.loads(self._result_path(input_sha256).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(kept, dict) or kept.get("key") != key:
            return None
        return json.dumps(kept.get("result"))

    def write_result(self, input_sha256: str, key: str, result_json: str) -> None:
        """Keeps the result of a finished input."""
        text = json.dumps({"key": key, "result": json.loads(result_json)}, ensure_ascii=False, indent=2)
        self.write(self._result_path(input_sha256), text.encode())

    def write(self, path: Path, content: bytes) -> None:
        """Writes one file, whole or not at all.

        Raises:
            EvidenceError: it cannot be written.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, content)
        except OSError as error:
            raise EvidenceError(f"{path}: cannot be written ({error.strerror})") from error

    def write_manifest(self, manifest: Manifest) -> None:
        """Writes the manifest beside what it describes.

        Raises:
            EvidenceError: it cannot be written.
        """
        text = json.dumps(manifest.document(), indent=2, ensure_ascii=False) + "\n"
        self.write(self.root / MANIFEST_NAME, text.encode())

    def records(self) -> tuple[FileRecord, ...]:
        """Every file below the folder but the manifest, with its sum, by path."""
        paths = sorted(path for path in self.root.rglob("*") if path.is_file() and path.parent != self.root)
        paths += [path for path in (self.root / "analysis.json",) if path.is_file()]
        return tuple(record_file(path, self.relative(path)) for path in paths)

    def relative(self, path: Path) -> str:
        """A path as results and manifest name it."""
        return path.relative_to(self.root).as_posix()

    def _result_path(self, input_sha256: str) -> Path:
        return self.root / "results" / f"{input_sha256[:_SUM_LETTERS]}.json"


class InputWriter:
    """Writes what belongs to one input."""

    def __init__(self, folder: OutputFolder, short_sum: str, name: str) -> None:
        self._folder = folder
        self._evidence = folder.root / "evidence" / short_sum
        safe_name = re.sub(r"[^\w.-]+", "_", name)[:60]
        self._video_path = folder.root / "annotated" / f"{safe_name}-{short_sum}.mp4"
        self._video: AnnotatedVideo | None = None

    @property
    def annotated(self) -> str | None:
        """The annotated video, relative to the folder; None where no frame was seen."""
        return self._folder.relative(self._video_path) if self._video else None

    def annotate(self, result: FrameResult, numbers: Mapping[int, int]) -> None:
        """Adds one frame to the annotated video."""
        if self._video is None:
            self._video = AnnotatedVideo(self._video_path)
        self._video.write(result, numbers)

    def evidence(self, number: int, look: BestLook) -> list[EvidenceFile]:
        """Writes the pictures of one candidate: the redacted frame, and the face at a portrait's scale."""
        shown = shown_pictures(look.frame.image, look.xyxy, look.landmarks, look.others_xyxy)
        folder = self._evidence / f"candidate-{number}"
        return [
            self._write(folder / "frame_redacted.jpg", "frame_redacted", shown.frame_redacted, look),
            self._write(folder / "probe.jpg", "probe", shown.probe, look),
        ]

    def discard(self, number: int) -> None:
        """Deletes the pictures of a candidate that was withdrawn.

        Raises:
            EvidenceError: they cannot be deleted.
        """
        folder = self._evidence / f"candidate-{number}"
        if not folder.is_dir():
            return
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise EvidenceError(f"{folder}: cannot be deleted ({error.strerror})") from error

    def close(self) -> None:
        """Finishes the video."""
        if self._video is not None:
            self._video.close()

    def _write(self, path: Path, kind: str, image: Image, look: BestLook) -> EvidenceFile:
        content = encode_jpeg(image)
        self._folder.write(path, content)
        return EvidenceFile.model_validate(
            {
                "kind": kind,
                "path": self._folder.relative(path),
                "sha256": hashlib.sha256(content).hexdigest(),
                "frame_index": look.frame_index,
                "pts_seconds": look.pts_seconds,
                "width": image.shape[1],
                "height": image.shape[0],
            }
        )


def input_frame(look: BestLook, input_sha256: str) -> EvidenceFile:
    """Where in the input itself the best look is."""
    width, height = look.frame.size_wh
    return EvidenceFile(
        kind="input_frame",
        path=None,
        sha256=input_sha256,
        frame_index=look.frame_index,
        pts_seconds=look.pts_seconds,
        width=width,
        height=height,
    )
