"""The address the operators' page is opened under: passkeys belong to its host."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field

_LOCAL: Final = "localhost"
_USUAL_PORT: Final = {"http": 80, "https": 443}
_NO_PORT: Final = -1
_SHAPE: Final = "an origin is scheme, host and port alone, such as https://aiqyn.example"


def _check_origin(given: str) -> str:
    """The origin as browsers write it: lower case, without the scheme's usual port."""
    parts = urlsplit(given.strip().casefold().removesuffix("/"))
    host, port = parts.hostname or "", _port(parts)
    alone = f"{parts.scheme}://{parts.netloc}" == parts.geturl() and "@" not in parts.netloc
    if parts.scheme not in _USUAL_PORT or not host or not alone or port == _NO_PORT:
        raise ValueError(_SHAPE)
    if _is_address(host):
        raise ValueError("browsers make passkeys for names, not for addresses: give the host's name")
    if parts.scheme == "http" and host != _LOCAL:
        raise ValueError("browsers make passkeys over https only; http is good for localhost alone")
    return f"{parts.scheme}://{host}" + ("" if port in (None, _USUAL_PORT[parts.scheme]) else f":{port}")


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        return _NO_PORT


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
