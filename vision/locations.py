"""Where media lies: telling addresses from paths, and taking the credentials out of an address."""

from __future__ import annotations

import re

HIDDEN = "***"
"""What stands where a secret was."""

SCHEMES = ("rtsp", "rtsps", "http", "https")
"""Kinds of address a source is opened from."""

_SCHEME = re.compile(r"^\s*([a-zA-Z][a-zA-Z0-9+.-]*)://")
_SECRET_IN_PATH = re.compile(
    r"(?i)(?<![a-z])(user(?:name)?|usr|login|pass(?:word|wd)?|pwd|token|auth|key|secret|signature|sig)\s*[=:].*",
    re.DOTALL,
)
_HOST_PORT = re.compile(r"^(\[[0-9a-fA-F:.%]+\]|[^:@\[\]]*)(:\d*)?$")


def scheme_of(location: str) -> str | None:
    """The scheme of an address in lower case, or None for a path."""
    found = _SCHEME.match(location)
    return found.group(1).lower() if found else None


def redact_url(location: str) -> str:
    """The address without user name, password and query; a path unchanged.

    Some cameras take their password inside the path (`/user=admin&password=…&channel=1`): from the first
    such word on nothing is kept. Unescaped `@`, `/` and `?` inside a password do not let its rest through;
    where that cannot be told from a harmless path, more is hidden rather than less.

    >>> redact_url("rtsp://admin:s3cret@10.0.0.7:554/stream1?token=abc")
    'rtsp://***@10.0.0.7:554/stream1?***'
    >>> redact_url("recordings/gate.mp4")
    'recordings/gate.mp4'
    """
    found = _SCHEME.match(location)
    if found is None:
        # Without a scheme this may still be `user:password@host`, typed in haste.
        hasty = re.match(r"^[^/\\]*:[^/\\]*@", location)
        return f"{HIDDEN}@{location[hasty.end() :]}" if hasty else location
    start = location[: found.end()].strip()
    rest = location[found.end() :].strip()
    rest, had_user = _without_user(rest)
    rest, _, query = rest.partition("?")
    rest = rest.partition("#")[0]
    host, slash, path = rest.partition("/")
    path = _SECRET_IN_PATH.sub(HIDDEN, path)
    user = f"{HIDDEN}@" if had_user else ""
    return f"{start}{user}{host}{slash}{path}" + (f"?{HIDDEN}" if query else "")


def _without_user(rest: str) -> tuple[str, bool]:
    """What follows the scheme without its user part, and whether there was one."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in rest:
        return rest, False
    if "@" not in authority and _HOST_PORT.match(authority):
        return rest, False
    return rest.rpartition("@")[2], True
