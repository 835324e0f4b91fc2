"""A folder of references: one face in each picture, or a line that names the file and the reason."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from pipelines.enrol import (
    PictureReport,
    enrol_folder,
    enrol_picture,
    enrol_portrait,
)
from pipelines.errors import EnrolError
from pipelines.read_face import PORTRAIT_SIZE_PX
from tests.fake_engine import DIMENSION, FakeEmbedder, Painted, face_of, fake_engines, paint, square
from tests.fake_footage import huge_png
from vision.images import decode_image
from vision.types import Image

ENGINES = fake_engines(embedder=FakeEmbedder(noise=0.0))


def save(path: Path, *people: Painted) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), paint(people))
    return path


def one(person: int, side: int = 60) -> Painted:
    return Painted(person, square(120, 80, side))


def test_a_sub_folder_is_a_subject_and_each_picture_a_template(tmp_path: Path) -> None:
    save(tmp_path / "ann" / "1.png", one(10))
    save(tmp_path / "ann" / "2.png", one(10, 50))
    save(tmp_path / "bea" / "1.png", one(60))
    enrolment = enrol_folder(tmp_path, ENGINES)
    assert [(r.subject_id, r.name) for r in enrolment.references] == [
        ("ann", "ann/1.png"),
        ("ann", "ann/2.png"),
        ("bea", "bea/1.png"),
    ]
    gallery = enrolment.gallery(DIMENSION)
    assert (len(gallery), gallery.template_count) == (2, 3)
    (answer,) = gallery.search(face_of(60)[np.newaxis])
    assert answer.subject_ids[0] == "bea"
    assert answer.similarities[0] == pytest.approx(1.0, abs=1e-5)
    assert not enrolment.refused
    assert not enrolment.missing


def test_a_picture_directly_in_the_folder_is_a_subject_named_by_its_file(tmp_path: Path) -> None:
    save(tmp_path / "carl.png", one(10))
    assert enrol_folder(tmp_path, ENGINES).gallery(DIMENSION).subjects == ("carl",)


def test_portraits_are_upright_squares_without_metadata(tmp_path: Path) -> None:
    path = save(tmp_path / "ann" / "1.png", one(10))
    with PIL.Image.open(path) as picture:
        exif = PIL.Image.Exif()
        exif[0x010E] = "home of the person"
        picture.save(tmp_path / "ann" / "1.png", exif=exif)
    (reference,) = enrol_folder(tmp_path, ENGINES).references
    with PIL.Image.open(io.BytesIO(reference.portrait_jpeg)) as portrait:
        assert portrait.size == (PORTRAIT_SIZE_PX, PORTRAIT_SIZE_PX)
        assert not portrait.getexif()
    assert b"home" not in reference.portrait_jpeg


BAD: dict[str, tuple[bytes | Image, str, str]] = {
    "no face": (paint([]), "no_face", "no face found"),
    "two faces": (paint([one(10), Painted(60, square(220, 80, 50))]), "several_faces", "2 faces found"),
    "two faces, one at the edge": (
        paint([one(10), Painted(60, square(0, 80, 55))]),
        "several_faces",
        "2 faces found",
    ),
    "empty": (b"", "unreadable", "0 bytes"),
    "text": (b"this is no picture", "unreadable", "not a picture"),
    "too large": (huge_png(), "unreadable", "more pixels than allowed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_picture_costs_the_others_nothing_and_is_named(tmp_path: Path, kind: str) -> None:
    content, outcome, reason = BAD[kind]
    save(tmp_path / "ann" / "1.png", one(10))
    bad = tmp_path / "bea" / "face.png"
    bad.parent.mkdir()
    bad.write_bytes(content if isinstance(content, bytes) else cv2.imencode(".png", content)[1].tobytes())
    told: list[PictureReport] = []
    enrolment = enrol_folder(tmp_path, ENGINES, told.append)
    (report,) = enrolment.refused
    assert report.outcome == outcome
    assert str(bad) in report.message
    assert reason in report.message
    assert "\n" not in report.message
    assert [reference.subject_id for reference in enrolment.references] == ["ann"]
    assert enrolment.missing == ("bea",)
    assert tuple(told) == enrolment.reports


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "ann" / "1.png", one(10))
    path.write_bytes(path.read_bytes()[:200])
    (report,) = enrol_folder(tmp_path, ENGINES).refused
    assert report.outcome == "unreadable"
    assert "truncated" in report.message


@pytest.mark.parametrize(
    "bystander",
    [
        pytest.param(Painted(60, square(220, 80, 25)), id="far behind"),
        pytest.param(Painted(60, square(0, 80, 45)), id="cut off at the edge"),
    ],
)
def test_bystanders_in_the_background_are_nobodys_reference(tmp_path: Path, bystander: Painted) -> None:
    save(tmp_path / "ann" / "1.png", one(10), bystander)
    (answer,) = enrol_folder(tmp_path, ENGINES).gallery(DIMENSION).search(face_of(10)[np.newaxis])
    assert answer.similarities[0] == pytest.approx(1.0, abs=1e-5)


def test_a_subject_without_pictures_is_missing(tmp_path: Path) -> None:
    save(tmp_path / "ann" / "1.png", one(10))
    (tmp_path / "bea").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "ann" / "notes.txt").write_text("not a picture, and not taken for one")
    enrolment = enrol_folder(tmp_path, ENGINES)
    assert enrolment.missing == ("bea",)
    assert len(enrolment.reports) == 1


def test_a_folder_that_is_not_there_or_holds_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EnrolError, match="no such folder"):
        enrol_folder(tmp_path / "nowhere", ENGINES)
    with pytest.raises(EnrolError, match="holds no pictures"):
        enrol_folder(tmp_path, ENGINES)
    with pytest.raises(EnrolError, match="is not a folder"):
        enrol_folder(save(tmp_path / "a.png", one(10)), ENGINES)


def test_without_any_reference_the_gallery_is_empty(tmp_path: Path) -> None:
    save(tmp_path / "ann" / "1.png")
    enrolment = enrol_folder(tmp_path, ENGINES)
    assert len(enrolment.gallery(DIMENSION)) == 0


def test_one_picture_as_bytes(tmp_path: Path) -> None:
    data = save(tmp_path / "1.png", one(10)).read_bytes()
    reference = enrol_picture(data, "ann", "upload 1", ENGINES)
    assert reference.embedding == pytest.approx(face_of(10), abs=1e-5)
    assert "ann" not in repr(reference)
    with pytest.raises(EnrolError, match="upload 2: is empty"):
        enrol_picture(b"", "ann", "upload 2", ENGINES)


@pytest.mark.parametrize(
    ("main", "other", "taken"),
    [
        pytest.param(square(110, 70, 100), square(230, 80, 60), True, id="central and clearly larger"),
        pytest.param(square(110, 70, 100), square(230, 80, 80), False, id="not clearly larger"),
        pytest.param(square(20, 70, 100), square(230, 80, 60), False, id="not in the middle"),
    ],
)
def test_company_is_borne_only_where_nobody_could_mean_it(
    tmp_path: Path, main: tuple[int, int, int, int], other: tuple[int, int, int, int], taken: bool
) -> None:
    save(tmp_path / "ann" / "1.png", Painted(10, main), Painted(60, other))
    enrolment = enrol_folder(tmp_path, ENGINES)
    (report,) = enrolment.reports
    assert report.outcome == ("ok" if taken else "several_faces")
    assert ("other_faces" in report.notes) == taken
    if taken:
        assert enrolment.references[0].embedding == pytest.approx(face_of(10), abs=1e-5)


def test_subjects_that_are_passed_over_are_not_looked_at(tmp_path: Path) -> None:
    save(tmp_path / "ann" / "1.png", one(10))
    save(tmp_path / "bea" / "1.png")
    enrolment = enrol_folder(tmp_path, ENGINES, pass_over={"bea"})
    assert [report.subject_id for report in enrolment.reports] == ["ann"]
    assert enrolment.missing == ()


def test_a_stored_portrait_gives_its_template_again(tmp_path: Path) -> None:
    save(tmp_path / "ann" / "1.png", one(10), Painted(60, square(220, 80, 25)))
    (reference,) = enrol_folder(tmp_path, ENGINES).references
    stored = decode_image(reference.portrait_jpeg)
    lossless = paint([Painted(10, square(56, 50, 208))], (320, 320))
    assert stored.shape == lossless.shape
    assert enrol_portrait(lossless, ENGINES) == pytest.approx(face_of(10), abs=1e-5)
    for wrong in (paint([], (320, 320)), paint([Painted(10, square(0, 200, 60))], (320, 320))):
        with pytest.raises(EnrolError, match="no face found in the stored picture"):
            enrol_portrait(wrong, ENGINES)
