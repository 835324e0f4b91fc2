"""The newest gallery version a worker has seen of each deployment, on its disk: a restart forgets none.

Without it, whoever can write to Redis could put an older genuine gallery back, with everybody in it who was
removed since, and have it believed by a worker that was just started.
"""

from __future__ import annotations

import json
from pathlib import Path

import structlog

from pipelines.errors import SealingError
from pipelines.key_files import make_private_folder, read_private, write_private

SCHEMA = "aiqyn.gallery-versions/1"

_log = structlog.get_logger(__name__)


class GalleryVersions:
    """Version numbers by deployment; a deployment's only ever grows."""

    def __init__(self, path: Path | None = None) -> None:
        """
        Args:
            path: the file, whose folder is made where missing; None: kept in memory alone.

        Raises:
            SealingError: the file is there and cannot be read, or holds something else.
        """
        self._path = path
        self._newest: dict[str, int] = {}
        if path is not None:
            make_private_folder(path.parent)
            self._newest = _read(path) if path.exists() else {}

    def newest(self, deployment_id: str) -> int:
        """The newest version seen; 0 where none was."""
        return self._newest.get(deployment_id, 0)

    def saw(self, deployment_id: str, version: int) -> None:
        """Remembers a version, on disk when this returns; one that is not newer changes nothing.

        Where the disk refuses, that is logged and the version remembered until the end of the process: a full
        disk must not keep the list as it is now from being searched.
        """
        if version <= self.newest(deployment_id):
            return
        self._newest[deployment_id] = version
        if self._path is None:
            return
        document = {"schema": SCHEMA, "newest": self._newest}
        try:
            write_private(self._path, json.dumps(document, sort_keys=True).encode(), replace=True)
        except SealingError as error:
            _log.error("gallery_version_not_kept", deployment_id=deployment_id, reason=str(error))


def _read(path: Path) -> dict[str, int]:
    try:
        document = json.loads(read_private(path))
        newest = document["newest"]
        if document["schema"] != SCHEMA or not all(
            isinstance(version, int) and version > 0 for version in newest.values()
        ):
            raise ValueError(document["schema"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SealingError(
            f"{path}: does not hold the gallery versions of a worker; restore it, or remove it if no list was "
            "shortened since it was written"
        ) from error
    return dict(newest)
