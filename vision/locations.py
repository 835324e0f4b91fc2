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


def scheme_of(location: str) -> str | None:
    """The scheme of an address in lower case, or None for a path."""
    found = _SCHEME.match(location)
    return found.group(1).lower() if found else None


def redact_url(location: str) -> str:
    """The address without user name, password and query; a path unchanged.

    Some cameras take their password inside the path (`/user=admin&password=…&channel=1`): from the first
    such word on nothing is kept. Passwords often stand there unescaped; where an `@`, `/`, `?` or `#` leaves
    open what is secret and what is not, more is hidden rather than less.

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
    user, rest = _without_user(rest)
    rest, _, query = rest.partition("?")
    rest = rest.partition("#")[0]
    host, slash, path = rest.partition("/")
    path = _SECRET_IN_PATH.sub(HIDDEN, path)
    return f"{start}{user}{host}{slash}{path}" + (f"?{HIDDEN}" if query else "")


def _without_user(rest: str) -> tuple[str, str]:
    """What stands for the user part of what follows a scheme, and what is left to be shown."""
    before, at, after = rest.rpartition("@")
    if not at:
        return "", rest
    several_reach_beyond_the_host = "@" in before and "/" in before
    if several_reach_beyond_the_host or "?" in before or "#" in before:
        return HIDDEN, ""
    return f"{HIDDEN}@", after
