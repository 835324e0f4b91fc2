"""Whether a model gives the same for several pictures in one call as for each alone, and twice the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.model_examinee import Examinee, RecordingSession
from pipelines.model_report import Finding
from vision.errors import ModelError
from vision.runtime import Tensor

RELATIVE_TOLERANCE = 1e-3
"""Of an output's largest value. Other kernels for other batches add up in another order: about 1e-5 on float32."""

_IN_ONE_CALL = 3


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """How many pictures a model takes.

    Attributes:
        batch: `any`, or the only number.
        single_only: it declares more than it can do.
        finding: for people.
    """

    batch: str
    single_only: bool
    finding: Finding


def check_batches(examinee: Examinee, *, by_chance: bool) -> BatchAnswer:
    """One call for several pictures against one call for each.

    Args:
        examinee: the model.
        by_chance: it answers differently at every call, so that nothing can be compared.

    Raises:
        ModelError: it fails on a single picture.
    """
    session = examinee.session
    calls = _single_calls(examinee)
    fixed = _fixed_batch(session)
    if fixed is not None:
        many = f"It takes {fixed} pictures in every call; what is missing is filled up with black."
        sentence = "It takes one picture a call (fixed in the file)." if fixed == 1 else many
        return BatchAnswer(str(fixed), False, Finding("batch", "noted", sentence))
    if by_chance:
        sentence = "Not compared: the model gives other values at every call."
        return BatchAnswer("any", False, Finding("batch", "noted", sentence))
    problem, difference = _compare(session, calls)
    if problem:
        sentence = f"It declares any number of pictures a call, but {problem}: it gets one a call."
        return BatchAnswer("1", True, Finding("batch", "noted", sentence))
    sentence = f"{_IN_ONE_CALL} pictures in one call give what each alone gives (largest difference {difference:.1e})."
    return BatchAnswer("any", False, Finding("batch", "passed", sentence))


def check_determinism(examinee: Examinee) -> Finding:
    """The last picture again: the same values, or how far apart."""
    examinee.see(list(examinee.pictures.values())[-1])
    first = examinee.session.found
    again = examinee.session.run(examinee.session.given)
    if all(np.array_equal(one, other) for one, other in zip(first, again, strict=True)):
        return Finding("repeatable", "passed", "The same picture gives the same values, bit for bit.")
    if [one.shape for one in first] == [other.shape for other in again]:
        difference = max(map(_difference, first, again))
        if difference <= RELATIVE_TOLERANCE:
            sentence = (
                f"The same picture gives nearly the same values (relative difference {difference:.1e})."
            )
            return Finding("repeatable", "noted", sentence)
    sentence = "The same picture gives other values at every call; there is chance in the model."
    return Finding("repeatable", "doubtful", sentence)


@dataclass(frozen=True, slots=True)
class _Call:
    given: Mapping[str, Tensor]
    found: Sequence[Tensor]


def _single_calls(examinee: Examinee) -> list[_Call]:
    """The last pictures of one size, each alone."""
    last = list(examinee.pictures.values())[-1]
    alike = [picture for picture in examinee.pictures.values() if picture.shape == last.shape]
    calls = []
    for picture in alike[-_IN_ONE_CALL:]:
        examinee.see(picture)
        calls.append(_Call(examinee.session.given, examinee.session.found))
    return calls


def _fixed_batch(session: RecordingSession) -> int | None:
    return next((info.shape[0] for info in session.inputs if len(info.shape) == 4), None)


def _compare(session: RecordingSession, calls: Sequence[_Call]) -> tuple[str, float]:
    """What is wrong with one call for all, empty for nothing, and the largest relative difference."""
    together = {name: np.concatenate([call.given[name] for call in calls]) for name in calls[0].given}
    try:
        found = session.run(together)
    except ModelError as error:
        return f"fails on {len(calls)} ({error})", 0.0
    difference = 0.0
    for index, (info, output) in enumerate(zip(session.outputs, found, strict=True)):
        alone = np.concatenate([np.atleast_1d(call.found[index]) for call in calls])
        if output.shape != alone.shape:
            return f"gives {info.name!r} as {output.shape} for {len(calls)}", 0.0
        difference = max(difference, _difference(alone, output))
    if difference > RELATIVE_TOLERANCE:
        return f"gives other values then (relative difference {difference:.1e})", difference
    return "", difference


def _difference(one: Tensor, other: Tensor) -> float:
    if not one.size:
        return 0.0
    one, other = one.astype(np.float64), other.astype(np.float64)
    return float(np.abs(one - other).max() / max(np.abs(one).max(), 1e-6))
