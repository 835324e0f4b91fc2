"""Whether those on duty can judge what waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from api.review.cases import JUDGES_NEEDED

LONGEST_SHIFT: Final = timedelta(hours=16)
"""Nobody is on duty for longer: who forgot to end a shift is not counted any more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A candidate an answer is awaited for.

    Attributes:
        needed: answers it may still need, at most.
        barred: accounts that may not judge it: they have, were told, or had a part in the entry.
    """

    needed: int
    barred: frozenset[str]


def is_understaffed(on_duty: frozenset[str], waiting: Iterable[Waiting], *, deployed: bool) -> bool:
    """Whether a confirmation could not come about now, for lack of people.

    Args:
        on_duty: operators on duty.
        waiting: what an answer is awaited for.
        deployed: whether some list is searched now; where none is and nothing waits, nobody is needed.
    """
    cases = list(waiting)
    if not cases and not deployed:
        return False
    if len(on_duty) < JUDGES_NEEDED:
        return True
    return any(len(on_duty - case.barred) < case.needed for case in cases)
