"""From the paths of a command line to the inputs of a run: files, image folders, folders of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.manifest import FileRecord, record_file, record_folder
from vision.folder import list_images, natural_key

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
        if not path.is_dir():
            paths[path] = None
            continue
        inside = _inside(path)
        if not inside:
            problems.append((path, "the folder holds neither videos nor pictures"))
        paths.update(dict.fromkeys(inside))
    return FoundInputs(tuple(paths), tuple(problems))


def record_input(path: Path) -> FileRecord:
    """Sum and size of an input.

    Raises:
        OSError: it cannot be read.
    """
    return record_folder(path, list_images(path)) if path.is_dir() else record_file(path)


def _inside(folder: Path) -> list[Path]:
    videos = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() and not path.name.startswith(".")
    ]
    if videos:
        return sorted(videos, key=lambda path: natural_key(str(path.relative_to(folder))))
    return [folder] if list_images(folder) else []
