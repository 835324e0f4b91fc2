"""From the paths of a command line to the inputs of a run: files, image folders, folders of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.manifest import FileRecord, record_file, record_folder
from vision.folder import files_below, list_images, natural_key
from vision.locations import SCHEMES, redact_url

VIDEO_SUFFIXES = frozenset(
    (
        *(".3gp", ".asf", ".avi", ".dav", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mkv"),
        *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    )
)
"""What is taken for a video inside a folder; a file that is named is tried whatever it is called."""


@dataclass(frozen=True, slots=True)
class FoundInputs:
    """What the paths stand for.

    Attributes:
        paths: files and image folders, each once, in the order given.
        problems: (path, reason) of what stands for nothing.
    """

    paths: tuple[Path, ...]
    problems: tuple[tuple[Path, str], ...]


def find_inputs(given: list[Path]) -> FoundInputs:
    """The inputs that some paths stand for.

    A file is an input. A folder with videos in it or below stands for each of them; a folder that holds
    pictures only is one input whose frames they are.
    """
    paths: dict[Path, None] = {}
    problems = []
    for path in given:
        address = _address(path)
        if address is not None:
            problems.append((Path(redact_url(address)), "is an address; `aiqyn work` watches cameras"))
            continue
        try:
            inside = _inputs_of(path)
        except OSError as error:
            problems.append((path, error.strerror or "cannot be opened"))
            continue
        if inside is None:
            problems.append((path, "is neither a file nor a folder"))
        elif not inside:
            problems.append((path, "the folder holds neither videos nor pictures"))
        paths.update(dict.fromkeys(inside or ()))
    return FoundInputs(tuple(paths), tuple(problems))


def record_input(path: Path) -> FileRecord:
    """Sum and size of an input.

    Raises:
        OSError: it cannot be read.
    """
    return record_folder(path, list_images(path)) if path.is_dir() else record_file(path)


def _address(path: Path) -> str | None:
    """The address somebody meant, whose slashes a path has folded; it may hold a password."""
    scheme, found, rest = str(path).partition(":/")
    return f"{scheme}://{rest.lstrip('/')}" if found and scheme.lower() in SCHEMES else None


def _inputs_of(path: Path) -> list[Path] | None:
    """What one path stands for; None for a device, a pipe or a socket, which may never end.

    A path that leads nowhere stands for itself: opening it says what is wrong.
    """
    if path.is_dir():
        return _inside(path)
    return [path] if path.is_file() or not path.exists() else None


def _inside(folder: Path) -> list[Path]:
    videos = [path for path in files_below(folder, VIDEO_SUFFIXES) if not path.name.startswith(".")]
    if videos:
        return sorted(videos, key=lambda path: natural_key(str(path.relative_to(folder))))
    return [folder] if list_images(folder) else []
