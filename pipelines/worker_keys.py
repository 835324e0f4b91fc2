"""The keys one worker holds, and nothing else: it can sign its candidates, open its galleries, seal evidence.

It cannot open evidence, sign galleries or receipts, nor open another worker's galleries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipelines.errors import SealingError
from pipelines.key_files import check_private_folder, read_json, read_private
from pipelines.sealing import sealing_key_from_pem
from pipelines.sealing_keys import newest_sealing_key
from pipelines.signing import SigningKey, VerifyingKeys

WORKER_FILE = "worker.json"
CANDIDATES_FILE = "candidates.pem"
GALLERIES_FILE = "galleries.pem"
GALLERY_SIGNERS_FILE = "gallery-signers.jwks.json"
EVIDENCE_FILE = "evidence.jwks.json"
REDIS_PASSWORD_FILE = "redis.password"  # noqa: S105

_Key = TypeVar("_Key")

_PASSWORD = re.compile(rb"[A-Za-z0-9_-]{32,128}")
_ACCOUNT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def checked_account_name(name: str, kind: str) -> str:
    """The name of a worker or integrator, fit for a folder, a Redis user and the end of a Redis key.

    Raises:
        SealingError: characters that would mean something there (`:`, `*`, `/`, blanks), or too long.
    """
    if not _ACCOUNT_NAME.fullmatch(name):
        raise SealingError(
            f"{kind} id {name[:80]!r}: use at most 63 letters (a-z, A-Z), digits, '_', '.' and '-', "
            "beginning with a letter or digit"
        )
    return name


@dataclass(frozen=True, slots=True, repr=False)
class WorkerKeys:
    """What one worker holds.

    Attributes:
        worker_id: whose keys they are.
        candidates: signs its candidates.
        galleries_private: opens the galleries sealed to it.
        gallery_signers: who may have signed a gallery.
        evidence_public: what evidence is sealed to.
        redis_password: of its Redis user, `worker:<worker_id>`.
    """

    worker_id: str
    candidates: SigningKey
    galleries_private: X25519PrivateKey
    gallery_signers: VerifyingKeys
    evidence_public: X25519PublicKey
    redis_password: str

    @classmethod
    def load(cls, folder: Path) -> WorkerKeys:
        """The keys in a worker's folder.

        Raises:
            SealingError: the folder or a file in it is missing, damaged, or open to others.
        """
        check_private_folder(folder)
        worker_id = read_json(folder / WORKER_FILE).get("worker_id")
        if not isinstance(worker_id, str):
            raise SealingError(f"{folder / WORKER_FILE}: names no worker_id")
        return cls(
            worker_id=checked_account_name(worker_id, "worker"),
            candidates=_named(folder / CANDIDATES_FILE, SigningKey.from_pem),
            galleries_private=_named(folder / GALLERIES_FILE, sealing_key_from_pem),
            gallery_signers=VerifyingKeys.from_jwks(read_json(folder / GALLERY_SIGNERS_FILE)),
            evidence_public=newest_sealing_key(
                read_json(folder / EVIDENCE_FILE), str(folder / EVIDENCE_FILE)
            ).public,
            redis_password=read_password(folder / REDIS_PASSWORD_FILE),
        )

    def __repr__(self) -> str:
        return f"WorkerKeys(worker_id={self.worker_id!r}, candidates={self.candidates.key_id!r})"


def read_password(path: Path) -> str:
    """The password in a key file; raises SealingError where it is missing, damaged or open to others."""
    text = read_private(path)
    if not _PASSWORD.fullmatch(text):
        raise SealingError(f"{path}: holds no password of ours; restore it from the backup of the keys")
    return text.decode("ascii")


def _named(path: Path, parse: Callable[[bytes], _Key]) -> _Key:
    pem = read_private(path)
    try:
        return parse(pem)
    except SealingError as error:
        raise SealingError(f"{path}: {error}") from error
