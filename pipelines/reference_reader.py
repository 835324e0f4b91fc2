"""Reads references in a child process that has nothing to lose: started when needed, replaced when it dies or hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from pipelines.calibrations import load_calibration
from pipelines.config import Config
from pipelines.errors import EnrolError
from pipelines.read_face import ReadFace
from pipelines.recipes import TemplateRecipe, embedder_part
from pipelines.reference_wire import PICTURE_HEAD, WireError, read_answer
from pipelines.thread_variables import thread_variables
from vision.identify.calibration import Calibration
from weights.catalog import load_catalog
from weights.store import WeightStore

PICTURE_SECONDS: Final = 20.0
START_SECONDS: Final = 120.0
MEMORY_BYTES: Final = 3 * 1024**3
MOST_PICTURE_BYTES: Final = 32 * 1024**2
"""A larger file is no reference: not sent to the child at all."""

_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "HOME", "VIRTUAL_ENV")
"""Without `LD_LIBRARY_PATH` a Python whose library lies elsewhere does not start."""


class PictureReader(Protocol):
    """Reads pictures of people; says by which recipe."""

    @property
    def recipe(self) -> TemplateRecipe:
        """What its templates are made with."""

    @property
    def calibration(self) -> Calibration:
        """Of its embedder."""

    def read(self, data: bytes) -> ReadFace | str:
        """The face of a picture, or a word of `reference_wire.REFUSALS`.

        Raises:
            EnrolError: the reader itself cannot work: no models, no child.
        """

    def close(self) -> None:
        """Ends whatever reads."""


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """Which models read, and from where.

    Attributes:
        weights_dir: of the weights.
        face_detector: catalogue id.
        embedder: catalogue id; the one the workers run.
        calibration: a site's own file for the embedder; None for the shipped one.
        threads: of every model.
        picture_seconds: what takes longer ends the child.
    """

    weights_dir: Path
    face_detector: str
    embedder: str
    calibration: Path | None = None
    threads: int = 1
    picture_seconds: float = PICTURE_SECONDS

    @classmethod
    def of(cls, config: Config) -> Self:
        """What the settings file says."""
        return cls(
            config.paths.weights_dir,
            config.models.face_detector,
            config.models.embedder,
            config.identification.calibration,
        )


class ReferenceReader:
    """One child and the way to it; for one thread at a time."""

    def __init__(self, options: ReaderOptions) -> None:
        """Loads what is known without models.

        Raises:
            WeightsError: an id the catalogue does not know, or a file without a hash.
            ConfigError: no calibration fits the embedder.
        """
        from pipelines.build import embedder_in_use  # brings the runtime of models, which most processes lack

        self._options = options
        store = WeightStore(options.weights_dir, load_catalog(options.weights_dir))
        in_use = embedder_in_use(store, options.embedder)
        self.recipe = TemplateRecipe(in_use.id, in_use.sha256, embedder_part(in_use.preprocessing))
        self.calibration = load_calibration(options.embedder, options.calibration, in_use=in_use)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the child."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue  # what was still to be written to a child that is gone

    def read(self, data: bytes) -> ReadFace | str:
        """As `PictureReader.read`; a picture that ends the child costs itself alone."""
        if len(data) > MOST_PICTURE_BYTES:
            return "too_many_pixels"
        if self._child is None or self._child.poll() is not None:
            self._start()
        try:
            return self._asked(data, self._options.picture_seconds)
        except (WireError, OSError):
            self.close()
            return "failed"

    def _start(self) -> None:
        self.close()
        self._child = _spawn(self._options)
        try:
            self._asked(None, START_SECONDS)
        except (WireError, OSError) as error:
            self.close()
            raise EnrolError(
                "the process that reads references cannot be started: are the models pulled? `aiqyn doctor` says"
            ) from error

    def _asked(self, data: bytes | None, seconds: float) -> ReadFace | str:
        """The child's next answer. A watch ends a child that takes too long, so that no read or write waits for ever."""
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise WireError("there is no child")
        watch = threading.Timer(seconds, child.kill)
        watch.daemon = True
        watch.start()
        try:
            if data is not None:
                child.stdin.write(PICTURE_HEAD.pack(len(data)) + data)
                child.stdin.flush()
            return read_answer(child.stdout)
        finally:
            watch.cancel()


def _spawn(options: ReaderOptions) -> subprocess.Popen[bytes]:
    """A child with an environment that names no key, no password and no settings file."""
    request = {
        "weights_dir": str(options.weights_dir.resolve()),
        "face_detector": options.face_detector,
        "embedder": options.embedder,
        "calibration": str(options.calibration.resolve()) if options.calibration else None,
        "threads": options.threads,
        "memory_bytes": MEMORY_BYTES,
        "parent_id": os.getpid(),
    }
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "pipelines.reference_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept | thread_variables(1),
        cwd=tempfile.gettempdir(),
        start_new_session=True,
    )
    if child.stdin is not None:
        child.stdin.write(json.dumps(request).encode() + b"\n")
        child.stdin.flush()
    return child
