"""The key store as one encrypted file, apart from every backup of records.

Data keys of subjects are left out unless they are asked for: a copy of them brings back what was deleted.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from api.backup.errors import BackupError
from pipelines.errors import SealingError
from pipelines.key_files import make_private_folder, read_private, sync_folder, write_private
from pipelines.sealing import DataKey, decrypt, encrypt

SCHEMA: Final = "aiqyn.keys-backup/1"
MIN_PASSPHRASE_LENGTH: Final = 16
SUBJECTS: Final = "api/subjects"
_COST: Final = {"n": 2**17, "r": 8, "p": 1}
"""128 MB and about half a second for each guess."""

_MAX_N: Final = 2**20


@dataclass(frozen=True, slots=True)
class KeysBackup:
    """What went into a file, or came out of it.

    Attributes:
        files: how many.
        subject_keys: of them, data keys of subjects.
    """

    files: int
    subject_keys: int


def back_up_keys(keys_dir: Path, target: Path, passphrase: str, *, with_subjects: bool) -> KeysBackup:
    """Writes the keys, encrypted under a passphrase, into one file.

    Raises:
        BackupError: the passphrase is too short, the file exists, or it cannot be written.
        SealingError: the key store cannot be read.
    """
    if len(passphrase) < MIN_PASSPHRASE_LENGTH:
        raise BackupError(f"a passphrase has at least {MIN_PASSPHRASE_LENGTH} characters")
    found = {str(path.relative_to(keys_dir)): path for path in _files(keys_dir)}
    chosen = {name: path for name, path in found.items() if with_subjects or not name.startswith(SUBJECTS)}
    content = {name: _text(read_private(path)) for name, path in sorted(chosen.items())}
    salt = os.urandom(16)
    kdf = {"name": "scrypt", "salt": _text(salt), **_COST}
    sealed = encrypt(_derived(passphrase, kdf), json.dumps(content).encode(), SCHEMA)
    document = {"schema": SCHEMA, "kdf": kdf, "sealed": _text(sealed)}
    try:
        write_private(target, json.dumps(document).encode())
    except SealingError as error:
        raise BackupError(str(error)) from error
    return _counted(content)


def restore_keys(source: Path, keys_dir: Path, passphrase: str) -> KeysBackup:
    """Writes the keys of a file into a folder that has none yet.

    Raises:
        BackupError: another passphrase, a changed file, or a folder that holds keys.
    """
    content = _opened(source, passphrase)
    if keys_dir.exists() and any(keys_dir.iterdir()):
        raise BackupError(f"{keys_dir}: holds keys already; they are not overwritten")
    for name in content:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise BackupError(f"{source}: names a file outside the key store")
    for folder in (keys_dir, keys_dir / "api", keys_dir / SUBJECTS, keys_dir / "workers"):
        make_private_folder(folder)
    for name, text in content.items():
        path = keys_dir / name
        make_private_folder(path.parent)
        write_private(path, base64.b64decode(text))
    sync_folder(keys_dir)
    return _counted(content)


def _opened(source: Path, passphrase: str) -> dict[str, str]:
    try:
        document: Any = json.loads(source.read_text("utf-8"))
        if document["schema"] != SCHEMA:
            raise BackupError(f"{source}: is no backup of keys of a version this program knows")
        plain = decrypt(_derived(passphrase, document["kdf"]), base64.b64decode(document["sealed"]), SCHEMA)
        content: dict[str, str] = json.loads(plain)
    except SealingError as error:
        raise BackupError(f"{source}: another passphrase, or the file was changed") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupError(f"{source}: is no backup of keys ({type(error).__name__})") from error
    return content


def _derived(passphrase: str, kdf: dict[str, Any]) -> DataKey:
    if not 2**14 <= kdf["n"] <= _MAX_N or kdf["r"] != _COST["r"] or kdf["p"] != _COST["p"]:
        raise ValueError("a cost this program does not use")
    derive = Scrypt(salt=base64.b64decode(kdf["salt"]), length=32, n=kdf["n"], r=kdf["r"], p=kdf["p"])
    return DataKey(derive.derive(passphrase.encode()))


def _files(keys_dir: Path) -> Iterator[Path]:
    for path in sorted(keys_dir.rglob("*")):
        if path.is_file() and not path.name.endswith(".part"):
            yield path


def _counted(content: dict[str, str]) -> KeysBackup:
    return KeysBackup(len(content), sum(name.startswith(SUBJECTS) for name in content))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
