"""Entries of a list that searches will take for each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipelines.reference_findings import (
    MAX_PAIR_FINDINGS,
    ReferenceFinding,
    ReferenceLimits,
    ReferenceSet,
)
from vision.types import Float32, Int64

_BLOCK_ROWS = 512
"""Pictures compared with all others at once; those of one entry stay together."""


def confusable_entries(
    references: ReferenceSet, kept: Int64, limits: ReferenceLimits
) -> tuple[list[ReferenceFinding], int]:
    """Pairs of entries that searches will take for each other, the most alike first, and how many more."""
    names = sorted({references.subjects[row] for row in kept})
    place = {name: index for index, name in enumerate(names)}
    whose = np.array([place[references.subjects[row]] for row in kept], np.int64)
    order = np.argsort(whose, kind="stable")
    rows, whose = kept[order], whose[order]
    listed = np.zeros(len(names), bool)
    listed[whose[np.array([references.listed[row] for row in rows], bool)]] = True
    pairs: list[tuple[float, int, int]] = []
    more = 0
    for found in _pairs_above(references.embeddings[rows], whose, limits.lookalike_similarity):
        pairs += [pair for pair in found if not (listed[pair[1]] and listed[pair[2]])]
        pairs.sort()
        more += max(0, len(pairs) - MAX_PAIR_FINDINGS)
        del pairs[MAX_PAIR_FINDINGS:]
    of_entry = [rows[whose == index] for index in sorted({i for pair in pairs for i in pair[1:]})]
    by_name = {references.subjects[int(entry[0])]: entry for entry in of_entry}
    told = [
        _entry_pair(references, by_name[names[first]], by_name[names[second]], limits)
        for _, first, second in pairs
    ]
    return told, more


def _pairs_above(embeddings: Float32, whose: Int64, limit: float) -> Iterator[list[tuple[float, int, int]]]:
    """Pairs (minus similarity, entry, later entry) whose best pictures are as alike as `limit`, by blocks of entries.

    Args:
        embeddings: (n, D) float32, those of one entry side by side.
        whose: (n,) numbers of the entries, from 0, growing.
        limit: a cosine.
    """
    starts = np.flatnonzero(np.r_[True, whose[1:] != whose[:-1]]) if len(whose) else whose
    begin = 0
    while begin < len(starts):
        end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _BLOCK_ROWS)))
        stop = int(starts[end]) if end < len(starts) else len(whose)
        first = int(starts[begin])
        similarities = embeddings[first:stop] @ embeddings[first:].T
        by_entry = np.maximum.reduceat(similarities, starts[begin:] - first, axis=1)
        best = np.maximum.reduceat(by_entry, starts[begin:end] - first, axis=0)
        near = np.argwhere(np.triu(best >= limit, 1))
        yield [(-float(best[i, j]), begin + int(i), begin + int(j)) for i, j in near]
        begin = end


def _entry_pair(
    references: ReferenceSet, first: Int64, second: Int64, limits: ReferenceLimits
) -> ReferenceFinding:
    """Two entries beside each other, by their two most alike pictures."""
    across = references.embeddings[first] @ references.embeddings[second].T
    i, j = np.unravel_index(int(np.argmax(across)), across.shape)
    within = [_mean_within(references.embeddings[rows]) for rows in (first, second) if len(rows) > 1]
    one_person = bool(within) and float(across.mean()) >= min(within)
    pair = (int(first[i]), int(second[j]))
    return ReferenceFinding(
        "same_person" if one_person else "look_alike",
        pair,
        (references.subjects[pair[0]], references.subjects[pair[1]]),
        float(across[i, j]),
        limits.lookalike_similarity,
    )


def _mean_within(embeddings: Float32) -> float:
    """Mean similarity of all pairs of pictures of one entry, two or more."""
    count, total = len(embeddings), embeddings.sum(axis=0)
    return (float(total @ total) - count) / (count * (count - 1))
