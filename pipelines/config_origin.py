"""The address the operators' page is opened under: passkeys belong to its host."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

_LOCAL: Final = "localhost"
_USUAL_PORT: Final = {"http": 80, "https": 443}


def _check_origin(given: str) -> str:
    """The origin as browsers write it: lower case, without the scheme's usual port."""
    parts = urlsplit(given.strip().casefold().rstrip("/"))
    host = parts.hostname or ""
    if parts.scheme not in _USUAL_PORT or not host or parts.path or parts.query or parts.username:
        raise ValueError("an origin is scheme, host and port alone, such as https://aiqyn.example")
    if _is_address(host):
        raise ValueError("browsers make passkeys for names, not for addresses: give the host's name")
    if parts.scheme == "http" and host != _LOCAL:
        raise ValueError("browsers make passkeys over https only; http is good for localhost alone")
    port = parts.port
    return f"{parts.scheme}://{host}" + ("" if port in (None, _USUAL_PORT[parts.scheme]) else f":{port}")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


Origin = Annotated[str, Field(max_length=300), AfterValidator(_check_origin)]


def local_origin(port: int, *, https: bool) -> str:
    """The origin of a page that only this machine can open; localhost, because an address makes no passkeys."""
    return _check_origin(f"{'https' if https else 'http'}://{_LOCAL}:{port}")
