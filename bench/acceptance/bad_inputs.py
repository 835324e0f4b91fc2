"""Inputs that are wrong in the ways issue 1 lists, made beside good ones so that the rest can go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bench.acceptance.lines import Figure, equals, holds
from bench.acceptance.programs import Finished, aiqyn, evaluation_data

CLIP = "faces/hamilton/short_hamilton_clip.mp4"
REFERENCES = "faces/hamilton/references"
NO_CAMERA = "rtsp://127.0.0.1:9/none"


@dataclass(frozen=True, slots=True)
class BadInput:
    """One wrong input.

    Attributes:
        what: for the report.
        name: what the error line must name.
        argument: how it is given.
    """

    what: str
    name: str
    argument: str | Path


def bad_videos(folder: Path, clip: Path) -> tuple[BadInput, ...]:
    """Sources that cannot be read to their end."""
    content = clip.read_bytes()
    cut, text = folder / "cut.mp4", folder / "letter.mp4"
    cut.write_bytes(content[: len(content) // 2])
    text.write_text("Dear operator,\n" * 50, encoding="utf-8")
    return (
        BadInput("truncated MP4", cut.name, cut),
        BadInput("text named .mp4", text.name, text),
        BadInput("camera that does not exist", "127.0.0.1", NO_CAMERA),
    )


def bad_references(folder: Path, references: Path) -> tuple[BadInput, ...]:
    """Adds pictures to a copy of the references that cannot be enrolled, each as a person of its own."""
    shutil.copytree(references, folder, dirs_exist_ok=True)
    photos = sorted(
        path for path in references.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"}
    )
    two = Image.new("RGB", (800, 400))
    for place, photo in enumerate((photos[0], photos[-1])):
        two.paste(Image.open(photo).convert("RGB").resize((400, 400)), (400 * place, 0))
    made = {
        "0-byte image": ("empty.jpg", None),
        "reference with no face": ("wall.png", Image.new("RGB", (400, 400), (120, 130, 140))),
        "reference with two faces": ("two.png", two),
        "20,000×20,000 PNG": ("huge.png", Image.new("1", (20_000, 20_000))),
    }
    for name, picture in made.values():
        path = folder / Path(name).stem / name
        path.parent.mkdir(exist_ok=True)
        if picture is None:
            path.touch()
        else:
            picture.save(path)
    return tuple(BadInput(what, name, folder / Path(name).stem / name) for what, (name, _) in made.items())


def measure(folder: Path) -> Iterator[Figure]:
    """Line 8: each wrong input gives one line naming it, and the rest of the run goes on."""
    data = evaluation_data()
    clip = data / CLIP
    videos = bad_videos(folder, clip)
    references = bad_references(folder / "references", data / REFERENCES)
    done = aiqyn(
        "analyze",
        clip,
        *(video.argument for video in videos),
        "--watchlist",
        folder / "references",
        "--json",
        cwd=folder,
    )
    yield equals("exit code with good and bad inputs", done.exit_code, 1)
    for wrong in (*videos, *references):
        yield _one_line(done, wrong)
    found = {candidate["subject_id"] for candidate in done.document().get("candidates", [])}
    yield holds("the good clip is still searched", "lin-manuel-miranda" in found, str(sorted(found)))
    for video in videos:
        alone = aiqyn("analyze", video.argument, "--watchlist", data / REFERENCES, "--json", cwd=folder)
        yield holds(f"{video.what} alone: exit code 1 or 2", alone.exit_code in {1, 2}, str(alone.exit_code))
    yield from _unknown_key(folder)


def _one_line(done: Finished, wrong: BadInput) -> Figure:
    lines = [line for line in done.errors if wrong.name in line]
    return equals(f"{wrong.what}: error lines that name it", len(lines), 1)


def _unknown_key(folder: Path) -> Iterator[Figure]:
    path = folder / "aiqyn.yaml"
    path.write_text("api:\n  prot: 8750\n", encoding="utf-8")
    done = aiqyn("config", "check", path)
    yield equals("YAML with an unknown key: exit code", done.exit_code, 2)
    told = done.log.strip()
    yield holds(
        "YAML with an unknown key: one line with file, line and key",
        told.count("\n") == 0 and f"{path}:2: api.prot" in told,
        told,
    )
