"""The place an address names: a folder, S3, or what else fsspec reaches. None knows what its blobs show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec

from pipelines.errors import EvidenceAwayError, EvidenceError, EvidenceMissingError
from pipelines.evidence_access import StoreAccess, s3_credentials
from pipelines.evidence_blobs import MAX_SEALED_BYTES, SUFFIX, Blob, Place, reason_of, whole
from pipelines.evidence_folder import FolderPlace

_S3_ATTEMPTS = 2


def open_place(url: str, access: StoreAccess) -> Place:
    """The place an address names.

    Args:
        url: a folder or an fsspec URL; never repeated in an error, it may hold a password.
        access: how it is reached.

    Raises:
        EvidenceError: no file system of that kind here, or no credentials for it.
    """
    options = _s3_options(access) if url.startswith(("s3://", "s3a://")) else {}
    try:
        files, root = fsspec.core.url_to_fs(url, **options)
    except (ValueError, ImportError, OSError) as error:
        advice = "pip install 'aiqyn[s3]'" if options else "use a folder, or install what fsspec needs for it"
        raise EvidenceError(
            f"evidence.url: no file system of that kind here ({type(error).__name__}); {advice}"
        ) from error
    if "file" in _protocols(files):
        return FolderPlace(Path(root), min_free_bytes=access.min_free_bytes)
    if options:
        files.retries = _S3_ATTEMPTS
    return RemotePlace(files, str(root).rstrip("/"))


class RemotePlace:
    """Blobs behind fsspec: S3 and its kin."""

    remote = True

    def __init__(self, files: Any, root: str) -> None:
        """
        Args:
            files: an fsspec file system.
            root: of the store in it.
        """
        self._files = files
        self._root = root
        self._errors = _errors_of(files)

    def write(self, ref: str, content: bytes) -> None:
        """See `Place.write`.

        Raises:
            EvidenceAwayError: the server does not take it.
        """
        try:
            self._files.pipe_file(f"{self._root}/{ref}", content)
        except self._errors as error:
            raise EvidenceAwayError(
                f"evidence {ref}: the store does not take it: {reason_of(error)}"
            ) from error

    def has_room(self) -> bool:
        """See `Place.has_room`; a server says so when it is asked to take something."""
        return True

    def read(self, ref: str) -> bytes:
        """See `Place.read`."""
        try:
            with self._files.open(f"{self._root}/{ref}", "rb") as file:
                return whole(ref, file.read(MAX_SEALED_BYTES + 1))
        except FileNotFoundError as error:
            raise EvidenceMissingError(f"evidence {ref}: is missing from the store") from error
        except self._errors as error:
            raise EvidenceAwayError(
                f"evidence {ref}: the store does not give it: {reason_of(error)}"
            ) from error

    def delete(self, ref: str) -> bool:
        """See `Place.delete`."""
        path = f"{self._root}/{ref}"
        try:
            if not self._files.exists(path):
                return False
            self._files.rm_file(path)
        except FileNotFoundError:
            return False
        except self._errors as error:
            raise EvidenceAwayError(
                f"evidence {ref}: the store does not delete it: {reason_of(error)}"
            ) from error
        return True

    def blobs(self, shelf: str) -> Iterator[Blob]:
        """See `Place.blobs`."""
        folder = f"{self._root}/{shelf}"
        try:
            found = self._files.find(folder, detail=True)
        except FileNotFoundError:
            return
        except self._errors as error:
            raise EvidenceAwayError(f"evidence: the store does not list: {reason_of(error)}") from error
        for path, info in sorted(found.items()):
            name = str(path).rpartition("/")[2]
            if name.endswith(SUFFIX):
                yield Blob(f"{shelf}/{name}", int(info.get("size") or 0), _written_at(info))


def _s3_options(access: StoreAccess) -> dict[str, Any]:
    credentials = s3_credentials()
    return {
        "key": credentials.key_id,
        "secret": credentials.secret_key,
        "token": credentials.session_token,
        "endpoint_url": access.endpoint_url,
        "client_kwargs": {"region_name": access.region} if access.region else {},
        "config_kwargs": {
            "connect_timeout": access.connect_timeout_seconds,
            "read_timeout": access.read_timeout_seconds,
            "retries": {"max_attempts": 0},  # s3fs tries again by itself
        },
        "use_listings_cache": False,
        "skip_instance_cache": True,
    }


def _errors_of(files: Any) -> tuple[type[Exception], ...]:
    """What the file system raises where a server is away or refuses; its libraries are there if it is."""
    if "s3" not in _protocols(files):
        return (OSError,)
    from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

    return (OSError, BotoCoreError, ClientError)


def _written_at(info: dict[str, Any]) -> datetime | None:
    for name in ("LastModified", "mtime", "updated", "created"):
        value = info.get(name)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return None


def _protocols(files: Any) -> tuple[str, ...]:
    protocol = files.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
