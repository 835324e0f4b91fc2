"""`pipelines.reference_check`: what is wrong with the references of a list."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest

from pipelines.reference_check import check_references
from pipelines.reference_findings import ReferenceCheck, ReferenceLimits, ReferenceSet
from pipelines.same_picture import thumbnail
from tests.fake_engine import face_of
from tests.seeds import drawn_face
from vision.errors import GalleryError
from vision.types import Float32

LIMITS = ReferenceLimits(disagreement_similarity=0.25, lookalike_similarity=0.5)
LOOKS = 0.9
"""Length of what differs between two looks: they are about 0.55 alike."""


def look(person: int, number: int) -> Float32:
    return face_of(person, number, LOOKS)


def reference_set(
    of: list[tuple[str, Float32]],
    *,
    pictures: dict[int, int] | None = None,
    hashes: dict[int, str] | None = None,
    listed: frozenset[int] = frozenset(),
    scores: dict[int, float] | None = None,
) -> ReferenceSet:
    """Pictures are drawn faces by number; every row has its own unless told otherwise."""
    drawn = {**{row: 100 + row for row in range(len(of))}, **(pictures or {})}
    thumbnails = [thumbnail(drawn_face(drawn[row])) for row in range(len(of))]
    return ReferenceSet(
        tuple(name for name, _ in of),
        np.stack([embedding for _, embedding in of]) if of else np.empty((0, 512), np.float32),
        np.stack(thumbnails) if of else np.empty((0, 64, 64), np.uint8),
        tuple((hashes or {}).get(row, "") for row in range(len(of))),
        tuple((scores or {}).get(row, 0.5) for row in range(len(of))),
        tuple(row in listed for row in range(len(of))),
    )


def check(of: list[tuple[str, Float32]], **given: object) -> ReferenceCheck:
    # Drawn faces are far more alike than photographs: only the identical ones are copies here.
    limits = ReferenceLimits(0.25, 0.5, same_picture_correlation=0.9999)
    return check_references(reference_set(of, **given), limits)  # type: ignore[arg-type]  # passed on


def kinds(done: ReferenceCheck) -> list[str]:
    return [finding.kind for finding in done.findings]


def three(name: str, person: int) -> list[tuple[str, Float32]]:
    return [(name, look(person, number)) for number in range(3)]


def test_a_clean_list_passes() -> None:
    assert check(three("ann", 1) + three("bea", 2) + [("carl", look(3, 0))]).findings == ()


def test_nobody_is_a_clean_list() -> None:
    assert check([]).findings == ()


def test_somebody_elses_picture_among_three_is_refused_with_both_similarities() -> None:
    done = check([*three("ann", 1), ("ann", look(2, 0))])
    (finding,) = done.findings
    assert (finding.kind, finding.subjects, finding.refused) == ("outlier", ("ann",), (3,))
    assert finding.similarity < finding.limit == 0.25
    assert done.refused == {3}


def test_an_outlier_names_the_entry_it_looks_like() -> None:
    done = check([*three("ann", 1), ("ann", look(2, 7)), *three("bea", 2)])
    (finding,) = [found for found in done.findings if found.kind == "outlier"]
    assert finding.subjects == ("ann", "bea")
    assert finding.references[0] == 3
    assert finding.references[1] in (4, 5, 6)


@pytest.mark.parametrize(
    "people",
    [
        pytest.param([1, 2], id="two pictures: neither is the outlier"),
        pytest.param([1, 1, 2, 2], id="two against two"),
        pytest.param([1, 2, 3], id="three people"),
        pytest.param([1, 2, 3, 1], id="half is no majority"),
    ],
)
def test_without_a_majority_it_is_a_conflict_and_all_wait(people: list[int]) -> None:
    done = check([("ann", look(person, number)) for number, person in enumerate(people)])
    (finding,) = done.findings
    assert finding.kind == "conflict"
    assert sorted(finding.references) == list(range(len(people)))
    assert sorted(finding.refused) == list(range(len(people)))
    first, second = finding.references[:2]
    assert people[first] != people[second]


def test_a_poor_picture_of_the_same_person_is_no_outlier() -> None:
    poor = face_of(1, 9, 3.2)
    others = [look(1, number) for number in range(4)]
    assert max(float(poor @ other) for other in others) < 0.33
    mean = np.sum(others, axis=0)
    assert float(poor @ mean / np.linalg.norm(mean)) > 0.25
    assert min(float(poor @ other) for other in others) < 0.25
    assert check([("ann", one) for one in [*others, poor]]).findings == ()


def test_what_somebody_answers_for_is_told_and_kept() -> None:
    references = reference_set([("ann", look(1, 0)), ("ann", look(2, 0))])
    done = check_references(references, LIMITS, accepted=["ann"])
    assert kinds(done) == ["conflict"]
    assert done.refused == frozenset()


def test_a_file_twice_is_kept_once_and_a_copy_too() -> None:
    done = check(three("ann", 1), hashes={0: "f" * 64, 2: "f" * 64})
    (finding,) = done.findings
    assert (finding.kind, finding.references, finding.refused) == ("duplicate", (2, 0), (2,))
    done = check(three("ann", 1), pictures={1: 7, 2: 7}, scores={1: 0.2, 2: 0.9})
    (finding,) = done.findings
    assert (finding.kind, finding.references, finding.refused) == ("duplicate", (1, 2), (1,))


def test_copies_do_not_make_a_majority() -> None:
    one, other = look(1, 0), look(2, 0)
    done = check([("ann", one), ("ann", one), ("ann", other)], hashes={0: "f" * 64, 1: "f" * 64})
    assert kinds(done) == ["duplicate", "conflict"]
    assert done.refused == {0, 1, 2}


def test_one_photograph_under_two_names_is_refused_under_both() -> None:
    done = check([("ann", look(1, 0)), ("bea", look(1, 1))], pictures={0: 7, 1: 7})
    (finding,) = done.findings
    assert (finding.kind, finding.subjects, finding.refused) == ("shared_picture", ("ann", "bea"), (0, 1))
    done = check([("ann", look(1, 0)), ("bea", look(2, 1))], hashes={0: "f" * 64, 1: "f" * 64})
    assert kinds(done) == ["shared_picture"]


def test_what_is_on_the_list_is_held_against_and_never_refused() -> None:
    given = [("ann", look(1, 0)), ("bea", look(1, 1))]
    done = check(given, pictures={0: 7, 1: 7}, listed=frozenset({1}))
    assert [finding.refused for finding in done.findings] == [(0,)]
    done = check(given, listed=frozenset({1}))
    assert kinds(done) == ["look_alike"]
    assert check(given, listed=frozenset({0, 1})).findings == ()


def test_entries_that_will_be_confused_are_named_with_similarity_and_threshold() -> None:
    ann, bea = look(1, 0), look(1, 1)
    done = check([("ann", ann), ("bea", bea), ("carl", look(3, 0))])
    (finding,) = done.findings
    assert (finding.kind, finding.subjects, finding.refused) == ("look_alike", ("ann", "bea"), ())
    assert finding.similarity == pytest.approx(float(ann @ bea), abs=1e-5)
    assert finding.limit == 0.5
    stricter = ReferenceLimits(0.25, 0.6)
    assert check_references(reference_set([("ann", ann), ("bea", bea)]), stricter).findings == ()


def test_one_person_under_two_names_is_asked_about() -> None:
    bea = [("bea", look(1, number)) for number in (5, 6)]
    assert kinds(check([*three("ann", 1), *bea])) == ["same_person"]
    # Two who resemble each other less than their own pictures do are two.
    half = 0.5 * (face_of(1) + face_of(2))
    twin = [("bea", (half + 0.02 * look(9, n)) / np.linalg.norm(half + 0.02 * look(9, n))) for n in (1, 2)]
    assert kinds(check([("ann", face_of(1)), *twin])) == ["look_alike"]


def test_the_order_of_the_references_does_not_matter() -> None:
    given = [*three("ann", 1), ("ann", look(2, 0)), *three("bea", 3), ("carl", look(3, 8))]
    told = {(one.kind, frozenset(one.subjects), round(one.similarity, 4)) for one in check(given).findings}
    again = check(given[::-1]).findings
    assert {(one.kind, frozenset(one.subjects), round(one.similarity, 4)) for one in again} == told
    assert check(given).findings == check(given).findings


def test_more_pairs_than_anybody_reads_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.look_alikes.MAX_PAIR_FINDINGS", 3)
    done = check([(f"p{number}", look(1, number)) for number in range(5)])
    assert len(done.findings) == 3
    assert done.pairs_not_told == 7
    best = sorted((one.similarity for one in done.findings), reverse=True)
    assert [one.similarity for one in done.findings] == best


def test_blocks_find_what_one_product_finds() -> None:
    """More entries than one block holds, some with many pictures; against the plain matrix."""
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 6, 400)
    whose = np.repeat(np.arange(400), sizes)
    rows = rng.normal(size=(len(whose), 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    done = check_references(_plain(rows, whose), ReferenceLimits(-1.0, 0.75))
    best: dict[tuple[int, int], float] = {}
    similarities = rows @ rows.T
    for i, j in zip(*np.nonzero(np.triu(similarities >= 0.75, 1)), strict=True):
        if whose[i] != whose[j]:
            pair = (int(whose[i]), int(whose[j]))
            best[pair] = max(best.get(pair, 0.0), float(similarities[i, j]))
    told = {tuple(int(name[1:]) for name in one.subjects): one.similarity for one in done.findings}
    assert len(best) > 50
    assert told == pytest.approx(best, abs=1e-6)


def test_thousands_of_references_take_seconds() -> None:
    rng = np.random.default_rng(6)
    people = np.repeat(rng.normal(size=(1500, 128)), 2, axis=0)
    rows = (people + 0.3 * rng.normal(size=people.shape)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    started = time.perf_counter()
    done = check_references(_plain(rows, np.arange(3000) // 2), ReferenceLimits(0.25, 0.6))
    assert time.perf_counter() - started < 10
    assert done.findings == ()


def _plain(rows: Float32, whose: npt.NDArray[np.integer]) -> ReferenceSet:
    count = len(rows)
    return ReferenceSet(
        tuple(f"p{number:04d}" for number in whose),
        rows,
        np.zeros((count, 64, 64), np.uint8),
        ("",) * count,
        (0.0,) * count,
        (False,) * count,
    )


def test_references_of_unequal_length_or_without_a_number_are_an_error() -> None:
    rows = np.ones((2, 4), np.float32)
    with pytest.raises(GalleryError, match="as many of everything"):
        ReferenceSet(("a",), rows, np.zeros((2, 64, 64), np.uint8), ("", ""), (0, 0), (False, False))
    rows[0, 0] = np.nan
    with pytest.raises(GalleryError, match="finite"):
        _plain(rows, np.arange(2))
    assert "0." not in repr(_plain(np.eye(2, 4, dtype=np.float32), np.arange(2)))
