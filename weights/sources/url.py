"""Single files from a web address."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from weights.errors import FetchError
from weights.spec import Source

_TIMEOUT_SECONDS = 60.0
_MOST_BYTES = 4_000_000_000
"""Where the catalogue does not know a file's size: more than any model here, less than a full disk."""


def fetch(source: Source, folder: Path, report: Callable[[int], None]) -> Path:
    """A folder with the one file under its own name; proxies are those of the environment.

    Args:
        source: of kind `url`.
        folder: empty, to write into.
        report: told how many bytes are there so far.

    Raises:
        FetchError: the address cannot be reached, answers with an error, or sends more than was announced.
    """
    import httpx

    wanted = source.files[0]
    file = folder / wanted.path
    file.parent.mkdir(parents=True, exist_ok=True)
    host = urlsplit(source.url).hostname
    most_bytes = wanted.size_bytes or _MOST_BYTES
    done = 0
    try:
        with (
            httpx.stream("GET", source.url, follow_redirects=True, timeout=_TIMEOUT_SECONDS) as answer,
            file.open("wb") as stream,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes():
                done += stream.write(chunk)
                report(done)
                if done > most_bytes:
                    raise FetchError(f"{wanted.name}: {host} sends more than {most_bytes} bytes")
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        raise FetchError(f"{wanted.name}: {host} answers {status}; is the address right?") from error
    except httpx.HTTPError as error:
        reason = type(error).__name__
        raise FetchError(f"{wanted.name}: {host} cannot be reached ({reason}); are you online?") from error
    return folder
