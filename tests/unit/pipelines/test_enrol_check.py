"""`pipelines.enrol_check`: what the check refuses leaves the enrolment, with a line that says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.enrol import Enrolment, enrol_folder
from pipelines.enrol_check import ListCheck, ListedReference, check_enrolment
from tests.fake_engine import CALIBRATION, FakeEmbedder, face_of, fake_engines, paint, photograph
from vision.images import encode_jpeg, encode_png


def enrolled(folder: Path, people: dict[str, list[tuple[int, int]]]) -> Enrolment:
    """Each picture is (who is in it, which photograph of theirs)."""
    for name, pictures in people.items():
        (folder / name).mkdir(parents=True)
        for number, (person, which) in enumerate(pictures):
            (folder / name / f"{number}.png").write_bytes(encode_png(photograph(person, which)))
    return enrol_folder(folder, fake_engines(embedder=FakeEmbedder(noise=0.4)))


def against(*listed: ListedReference, accepted: tuple[str, ...] = ()) -> ListCheck:
    return ListCheck(CALIBRATION, 1.0, listed, accepted)


def test_a_clean_folder_passes_whole(tmp_path: Path) -> None:
    found = enrolled(tmp_path, {"ann": [(1, 0), (1, 1)], "bea": [(2, 0)]})
    done = check_enrolment(found, against())
    assert done.findings == ()
    assert done.enrolment == found


def test_a_refused_picture_leaves_with_its_reason(tmp_path: Path) -> None:
    people = {"ann": [(1, 0), (1, 1), (1, 2), (2, 0)], "bea": [(3, 0)]}
    done = check_enrolment(enrolled(tmp_path, people), against())
    (refused,) = done.enrolment.refused
    assert (refused.outcome, refused.path.name) == ("outlier", "3.png")
    assert "ann/3.png: hardly the person of ann's other pictures" in refused.message
    assert "--accept 'ann'" in refused.message
    assert "\n" not in refused.message
    assert len(done.enrolment.references) == 4
    (finding,) = done.findings
    assert len(finding.portraits) == 2
    assert "ann" not in repr(finding)


def test_a_conflict_leaves_the_entry_out_until_somebody_answers_for_it(tmp_path: Path) -> None:
    found = enrolled(tmp_path, {"ann": [(1, 0), (2, 0)], "bea": [(3, 0)]})
    done = check_enrolment(found, against())
    assert done.enrolment.missing == ("ann",)
    assert "may not be of one person" in done.findings[0].message
    done = check_enrolment(found, against(accepted=("ann",)))
    assert done.enrolment == found
    assert done.findings[0].message.endswith("accepted as asked")


def test_a_copy_is_kept_once_and_is_no_failure(tmp_path: Path) -> None:
    done = check_enrolment(enrolled(tmp_path, {"ann": [(1, 0), (1, 0), (1, 1)]}), against())
    assert [report.outcome for report in done.enrolment.reports].count("duplicate") == 1
    assert done.enrolment.refused == ()
    assert len(done.enrolment.references) == 2
    assert "kept once" in done.findings[0].message


def test_one_photograph_under_two_names_names_both(tmp_path: Path) -> None:
    done = check_enrolment(enrolled(tmp_path, {"ann": [(1, 0), (1, 1)], "bea": [(1, 0)]}), against())
    assert [report.outcome for report in done.enrolment.refused] == ["shared_picture"] * 2
    assert "under two names, ann and bea" in done.findings[0].message
    assert done.enrolment.missing == ("bea",)


def test_who_is_on_the_list_counts_and_only_likely_pictures_are_opened(tmp_path: Path) -> None:
    opened: list[str] = []

    def portrait(name: str) -> bytes:
        opened.append(name)
        return encode_jpeg(photograph(1, 5))

    listed = [
        ListedReference("Zoe", "Zoe, picture 1 on the list", face_of(1), lambda: portrait("zoe")),
        ListedReference("Yan", "Yan, picture 1 on the list", face_of(9), lambda: portrait("yan")),
    ]
    done = check_enrolment(enrolled(tmp_path, {"ann": [(1, 0)]}), against(*listed))
    (finding,) = done.findings
    assert (finding.kind, finding.subjects) == ("look_alike", ("Zoe", "ann"))
    assert "Zoe and ann will be confused" in finding.message
    assert "this list's threshold is" in finding.message
    assert len(done.enrolment.references) == 1
    assert set(opened) == {"zoe"}


def test_a_longer_list_has_a_stricter_threshold(tmp_path: Path) -> None:
    found = enrolled(tmp_path, {"ann": [(1, 0)]})
    short = check_enrolment(found, against()).limits
    rows = [ListedReference(f"p{n}", f"p{n}", face_of(n), lambda: b"") for n in range(20, 100)]
    longer = check_enrolment(found, against(*rows)).limits
    assert short is not None
    assert longer is not None
    assert longer.lookalike_similarity > short.lookalike_similarity
    assert longer.disagreement_similarity == short.disagreement_similarity


def test_nothing_to_check_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "0.png").write_bytes(encode_png(paint([])))
    found = enrol_folder(tmp_path, fake_engines())
    done = check_enrolment(found, against())
    assert done.enrolment == found
    assert done.limits is None


@pytest.mark.parametrize("quality", [95, 40])
def test_a_copy_encoded_anew_on_the_list_is_known(tmp_path: Path, quality: int) -> None:
    found = enrolled(tmp_path, {"ann": [(1, 0)]})
    (reference,) = found.references
    from vision.images import decode_image

    again = encode_jpeg(decode_image(reference.portrait_jpeg), quality)
    zoe = ListedReference("Zoe", "Zoe, picture 1 on the list", reference.embedding, lambda: again)
    done = check_enrolment(found, against(zoe))
    assert [finding.kind for finding in done.findings] == ["shared_picture"]
    assert done.enrolment.missing == ("ann",)
