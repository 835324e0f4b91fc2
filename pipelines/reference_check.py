"""What is wrong with the references of a list: somebody else's picture among them, one picture twice, two entries
that will be taken for each other.

Pure: embeddings and thumbnails in, findings out; the same input gives the same findings in the same order. It
compares in blocks, so that ten thousand references need a few hundred megabytes and seconds.

In this order: a photograph under two names is nobody's reference; of copies under one name the best is kept;
then the pictures of each entry are held against each other, and at last the entries among themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipelines.look_alikes import confusable_entries
from pipelines.reference_findings import (
    KINDS,
    ReferenceCheck,
    ReferenceFinding,
    ReferenceLimits,
    ReferenceSet,
)
from pipelines.same_picture import picture_correlation
from vision.types import Float32

MAX_PICTURES_COMPARED = 5000
"""Pairs of pictures laid over each other, most alike first: two milliseconds each."""

_BLOCK_ROWS = 512
_ROUNDS = 10


def check_references(
    references: ReferenceSet, limits: ReferenceLimits, accepted: Collection[str] = ()
) -> ReferenceCheck:
    """Holds the references of a list against each other.

    Args:
        references: new ones, and those on the list already.
        limits: of that list.
        accepted: entries whose pictures somebody looked at and answers for: outliers and conflicts among them
            are told and not refused.

    Raises:
        GalleryError: as `ReferenceSet`.
    """
    found = [*_copies(references, limits)]
    gone = {row for finding in found for row in finding.refused}
    found += _disagreements(references, limits, gone, frozenset(accepted))
    gone |= {row for finding in found for row in finding.refused}
    kept = np.array([row for row in range(len(references)) if row not in gone], np.int64)
    pairs, more = confusable_entries(references, kept, limits)
    found += pairs
    order = {kind: place for place, kind in enumerate(KINDS)}
    found.sort(key=lambda finding: order[finding.kind])  # stable: within a kind as they were found
    return ReferenceCheck(tuple(found), limits, more)


def _copies(references: ReferenceSet, limits: ReferenceLimits) -> list[ReferenceFinding]:
    """Photographs under two names, and copies under one."""
    pairs = _same_files(references) | _same_pictures(references, limits)
    found: list[ReferenceFinding] = []
    shared: set[int] = set()
    for (first, second), correlation in sorted(pairs.items()):
        if references.subjects[first] == references.subjects[second]:
            continue
        rows = (first, second)
        refused = tuple(row for row in rows if not references.listed[row])
        names = (references.subjects[first], references.subjects[second])
        limit = limits.same_picture_correlation
        found.append(ReferenceFinding("shared_picture", rows, names, correlation, limit, refused))
        shared.update(refused)
    own = {
        pair: correlation
        for pair, correlation in sorted(pairs.items())
        if references.subjects[pair[0]] == references.subjects[pair[1]] and not shared.intersection(pair)
    }
    return found + _kept_once(references, own, limits)


def _kept_once(
    references: ReferenceSet, pairs: dict[tuple[int, int], float], limits: ReferenceLimits
) -> list[ReferenceFinding]:
    """Of every copy, which one stays in its place: the best that is left, the listed before all."""
    rank = sorted(
        {row for pair in pairs for row in pair},
        key=lambda row: (not references.listed[row], -references.scores[row], row),
    )
    kept: list[int] = []
    found: list[ReferenceFinding] = []
    for row in rank:
        match = next((one for one in kept if (min(one, row), max(one, row)) in pairs), None)
        if match is None or references.listed[row]:
            kept.append(row)
            continue
        correlation = pairs[min(match, row), max(match, row)]
        name = (references.subjects[row],)
        limit = limits.same_picture_correlation
        found.append(ReferenceFinding("duplicate", (row, match), name, correlation, limit, (row,)))
    return sorted(found, key=lambda finding: finding.references)


def _same_files(references: ReferenceSet) -> dict[tuple[int, int], float]:
    """Pairs of rows that are one file, each with the first of its kind and with its neighbours across names."""
    by_hash: dict[str, list[int]] = {}
    for row, digest in enumerate(references.picture_sha256):
        if digest:
            by_hash.setdefault(digest, []).append(row)
    pairs: dict[tuple[int, int], float] = {}
    for rows in by_hash.values():
        firsts: dict[str, int] = {}
        for row in rows:
            pairs |= {(first, row): 1.0 for first in firsts.values()}
            firsts.setdefault(references.subjects[row], row)
    return pairs


def _same_pictures(references: ReferenceSet, limits: ReferenceLimits) -> dict[tuple[int, int], float]:
    """Pairs of rows whose pictures are one photograph; faces that alike are found first, then laid over."""
    candidates: list[tuple[float, int, int]] = []
    rows = np.flatnonzero(references.thumbnails.any(axis=(1, 2)))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block, others = rows[start : start + _BLOCK_ROWS], rows[start:]
        similarities = references.embeddings[block] @ references.embeddings[others].T
        i, j = np.nonzero(np.triu(similarities >= limits.lookalike_similarity, 1))
        values = similarities[i, j]
        best = np.argsort(-values, kind="stable")[:MAX_PICTURES_COMPARED]
        firsts, seconds = block[i[best]], others[j[best]]
        candidates += zip((-values[best]).tolist(), firsts.tolist(), seconds.tolist(), strict=True)
        candidates = sorted(candidates)[:MAX_PICTURES_COMPARED]
    found: dict[tuple[int, int], float] = {}
    for _, first, second in candidates:
        if references.listed[first] and references.listed[second]:
            continue
        correlation = picture_correlation(references.thumbnails[first], references.thumbnails[second])
        if correlation >= limits.same_picture_correlation:
            found[first, second] = correlation
    return found


def _disagreements(
    references: ReferenceSet, limits: ReferenceLimits, gone: set[int], accepted: frozenset[str]
) -> Iterator[ReferenceFinding]:
    """Pictures that are hardly of the person the entry's others show."""
    of_subject: dict[str, list[int]] = {}
    for row, subject in enumerate(references.subjects):
        if row not in gone:
            of_subject.setdefault(subject, []).append(row)
    for subject, rows in of_subject.items():
        if len(rows) < 2 or references.listed[rows[0]]:
            continue
        embeddings = references.embeddings[rows]
        core = _core(embeddings, limits.disagreement_similarity)
        if core.all():
            continue
        if 2 * int(core.sum()) > len(rows):
            similarities = _to_the_core(embeddings, core)
            members = [rows[place] for place in np.flatnonzero(core).tolist()]
            found = [
                _outlier(references, limits, rows[place], members, float(similarities[place]))
                for place in np.flatnonzero(~core).tolist()
            ]
        else:
            found = [_conflict(references, limits, rows)]
        for finding in found:
            yield replace(finding, refused=()) if subject in accepted else finding


def _outlier(
    references: ReferenceSet, limits: ReferenceLimits, row: int, core: list[int], similarity: float
) -> ReferenceFinding:
    """An outlier beside the most alike picture of its entry's `core`, or of another entry if it resembles that."""
    subject = references.subjects[row]
    to_all = references.embeddings @ references.embeddings[row]
    beside = max(core, key=lambda other: float(to_all[other]))
    names: tuple[str, ...] = (subject,)
    elsewhere = np.array([name != subject for name in references.subjects])
    nearest = int(np.argmax(np.where(elsewhere, to_all, -np.inf)))
    if elsewhere[nearest] and to_all[nearest] >= limits.lookalike_similarity:
        beside, names = nearest, (subject, references.subjects[nearest])
    limit = limits.disagreement_similarity
    return ReferenceFinding("outlier", (row, beside), names, similarity, limit, (row,))


def _conflict(references: ReferenceSet, limits: ReferenceLimits, rows: list[int]) -> ReferenceFinding:
    """An entry's pictures, the least alike first."""
    embeddings = references.embeddings[rows]
    one = int(np.argmin(embeddings @ embeddings.sum(axis=0)))
    to_one = embeddings @ embeddings[one]
    other = int(np.argmin(to_one))
    shown = (rows[min(one, other)], rows[max(one, other)])
    others = tuple(row for row in rows if row not in shown)
    names, limit = (references.subjects[rows[0]],), limits.disagreement_similarity
    return ReferenceFinding("conflict", shown + others, names, float(to_one[other]), limit, tuple(rows))


def _core(embeddings: Float32, limit: float) -> npt.NDArray[np.bool_]:
    """(n,) which pictures of one entry are of one person, as far as they can tell.

    Begins at the picture most like all others and takes in whatever is like the mean of those taken so far,
    itself left out: a poor picture of the same person is nearer to that mean than to any single one.
    """
    core = np.zeros(len(embeddings), bool)
    core[int(np.argmax(embeddings @ embeddings.sum(axis=0)))] = True
    for _ in range(_ROUNDS):
        grown = _to_the_core(embeddings, core) >= limit
        if (grown == core).all():
            break
        core = grown
    return core


def _to_the_core(embeddings: Float32, core: npt.NDArray[np.bool_]) -> Float32:
    """(n,) similarity of each picture to the mean of the core without itself; 1 of a core of one to itself."""
    total = embeddings[core].sum(axis=0)
    without = total - np.where(core[:, None], embeddings, 0)
    lengths = np.linalg.norm(without, axis=1)
    along = np.einsum("nd,nd->n", embeddings, without)
    return np.asarray(np.where(lengths > 1e-6, along / np.maximum(lengths, 1e-6), 1.0), np.float32)
