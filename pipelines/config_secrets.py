"""Secrets and overrides from outside the settings file: `AIQYN_*` variables and secret files.

A password never stands in the settings file. A URL names it in braces,
`rtsp://viewer:{gate_password}@camera/stream`, and whoever opens the URL fills it in at that moment from
the variable `AIQYN_SECRET_GATE_PASSWORD` or the file `/run/secrets/gate_password`. So a configuration can
be printed, logged and checked anywhere without giving anything away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, urlsplit

from pipelines.config_yaml import LocatedYaml, parse_scalar
from pipelines.errors import ConfigError

SECRETS_DIR = Path("/run/secrets")
"""Where Docker, Podman and systemd's `LoadCredential` (through a link) put secret files."""

_MAX_SECRET_BYTES = 65_536
_PREFIX = "AIQYN_"
_SEPARATOR = "__"
_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9_]{0,63})\}")
_SECRET_PARAMETERS = frozenset({"password", "passwd", "pwd", "pass", "token", "secret", "api_key", "apikey"})

_Setting: TypeAlias = tuple[str, str]
"""Section and key."""

_SHORT_NAMES: dict[str, _Setting] = {
    "AIQYN_WEIGHTS_DIR": ("paths", "weights_dir"),
    "AIQYN_DATA_DIR": ("paths", "data_dir"),
    "AIQYN_KEYS_DIR": ("paths", "keys_dir"),
}


def read_secret(name: str, environment: Mapping[str, str], secrets_dir: Path = SECRETS_DIR) -> str | None:
    """A secret by its variable, else by its file; None where there is neither.

    Args:
        name: the variable's name, e.g. `AIQYN_REDIS_PASSWORD`; the file is the same in lower case.

    Raises:
        ConfigError: the file is there and cannot be read, or is no text of reasonable length.
    """
    if name in environment:
        return environment[name]
    path = secrets_dir / name.lower()
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_SECRET_BYTES + 1)
        if len(raw) > _MAX_SECRET_BYTES:
            raise ConfigError(f"{path}: larger than {_MAX_SECRET_BYTES} bytes; this is no secret")
        return raw.decode("utf-8").rstrip("\r\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"{path}: cannot be read as a secret; it must be UTF-8 text this user may read"
        ) from None


def fill_secrets(
    template: str, environment: Mapping[str, str] | None = None, secrets_dir: Path = SECRETS_DIR
) -> str:
    """An address with its `{name}` placeholders filled in, percent-encoded. Never log what this returns.

    Args:
        template: the address as the settings file has it.
        environment: variables to look in first; this process's own by default.
        secrets_dir: folder of secret files.

    Raises:
        ConfigError: a named secret is neither a variable nor a file; names both.
    """
    variables = os.environ if environment is None else environment

    def secret_for(match: re.Match[str]) -> str:
        name = match.group(1)
        secret = variables.get(f"{_PREFIX}SECRET_{name.upper()}")
        if secret is None:
            secret = read_secret(name, {}, secrets_dir)
        if secret is None:
            raise ConfigError(
                f"the secret {{{name}}} is missing: set {_PREFIX}SECRET_{name.upper()} "
                f"or write it to {secrets_dir / name.lower()}"
            )
        return quote(secret, safe="")

    return _PLACEHOLDER.sub(secret_for, template)


def placeholder_names(template: str) -> tuple[str, ...]:
    """The names of the secrets an address wants, in order."""
    return tuple(_PLACEHOLDER.findall(template))


def refuse_inline_secret(address: str) -> str:
    """The address itself, when no password or token stands in it in clear.

    Raises:
        ValueError: one does; the message does not repeat it.
    """
    advice = "write {name} in its place and set AIQYN_SECRET_NAME or the file /run/secrets/name"
    try:
        parts = urlsplit(_PLACEHOLDER.sub("", address))
        password = parts.password
    except ValueError:
        raise ValueError("is not a valid address") from None
    if "://" not in address:
        return address
    if password:
        raise ValueError(f"a password stands in the address; {advice}")
    for name, value in parse_qsl(parts.query):
        if name.lower() in _SECRET_PARAMETERS and value:
            raise ValueError(f"a secret stands in the address ({name}=…); {advice}")
    return address


def overlay_environment(
    located: LocatedYaml,
    sections: Mapping[str, frozenset[str]],
    environment: Mapping[str, str],
    secrets_dir: Path = SECRETS_DIR,
) -> LocatedYaml:
    """The settings of a file with those of the environment over them.

    `AIQYN_API__PORT` sets `api.port`; a few have short names (`AIQYN_WEIGHTS_DIR`). The Redis password
    comes from `AIQYN_REDIS_PASSWORD` or its secret file, and only from there.

    Args:
        located: what the file says.
        sections: the settings of each section that a variable may set.
        environment: the variables.
        secrets_dir: folder of secret files.

    Raises:
        ConfigError: a variable names no setting, or a secret file cannot be read.
    """
    values: dict[str, Any] = {
        key: dict(value) if isinstance(value, dict) else value for key, value in located.values.items()
    }
    places = dict(located.places)
    for name, (where, value) in _overrides(sections, environment, secrets_dir).items():
        if values.get(where[0]) is None:
            values[where[0]] = {}
        section = values[where[0]]
        if isinstance(section, dict):  # else the file is wrong there, which validation will say
            section[where[1]] = value
            places[where] = f"environment variable {name}"
    return LocatedYaml(values, places)


def _overrides(
    sections: Mapping[str, frozenset[str]], environment: Mapping[str, str], secrets_dir: Path
) -> dict[str, tuple[_Setting, Any]]:
    found: dict[str, tuple[_Setting, Any]] = {}
    for name in sorted(environment):
        where = _SHORT_NAMES.get(name) or _long_name(name, sections)
        if where is None:
            continue
        try:
            found[name] = where, parse_scalar(environment[name])
        except ConfigError as error:
            raise ConfigError(f"environment variable {name}: {error}") from None
    password = read_secret("AIQYN_REDIS_PASSWORD", environment, secrets_dir)
    if password is not None:
        found["AIQYN_REDIS_PASSWORD"] = ("redis", "password"), password
    return found


def _long_name(name: str, sections: Mapping[str, frozenset[str]]) -> _Setting | None:
    if not name.startswith(_PREFIX) or _SEPARATOR not in name:
        return None
    section, _, setting = name.removeprefix(_PREFIX).lower().partition(_SEPARATOR)
    if setting not in sections.get(section, frozenset()):
        raise ConfigError(
            f"environment variable {name}: there is no setting {section}.{setting}; "
            f"sections that variables can set: {', '.join(sorted(sections))}"
        )
    return section, setting
