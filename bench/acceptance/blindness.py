"""Line 3 of issue 4: what an operator's client sees tells no secret, and a build that leaks is caught."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.acceptance.lines import Figure, at_least
from bench.blindness.features import matrix
from bench.blindness.guess import Guessed, guess
from bench.blindness.leaks import Leak
from bench.blindness.play import Play, Truth, Watched
from bench.blindness.server import served
from bench.blindness.site import make_site

REVIEWS: Final = 400
LEAKY_REVIEWS: Final = 120
SUBJECTS: Final = 40
SEED: Final = 20261130
MIN_GUESSED: Final = 0.125
"""Of the reviews, so many must have been guessed of each secret: too few prove nothing."""
SPARE: Final = 1.3
"""Controls made for each one needed: some are closed by the other before she opens them."""


def measure(reviews: int = REVIEWS, leaky_reviews: int = LEAKY_REVIEWS, seed: int = SEED) -> Iterator[Figure]:
    """The figures: four secrets guessed from the real build, then from four builds that leak."""
    seen = play(reviews, Leak.NONE, seed)
    yield at_least("reviews opened", len(seen), reviews * 0.95)
    for one in guesses(seen, seed):
        yield at_least(f"{one.target}: reviews guessed", one.cases, reviews * MIN_GUESSED)
        yield Figure(
            f"{one.target} guessed ({one.cases} guesses, best: {one.classifier}; clue: {one.clue})",
            f"AUC {one.auc:.3f}, by chance {one.low:.3f} to {one.high:.3f}, p = {one.p_value:.3f}",
            "within the 95 % interval of chance",
            one.at_chance,
        )
    for leak in (Leak.HEADER, Leak.SIZE, Leak.TIMING, Leak.ORDER):
        found = list(guesses(play(leaky_reviews, leak, seed), seed))
        if any(one.high >= 1.0 for one in found):  # so few that chance may guess them all
            found = list(guesses(play(2 * leaky_reviews, leak, seed), seed))
        for one in found:
            yield Figure(
                f"{one.target} guessed from a build that leaks by {leak.value} ({one.cases} guesses)",
                f"AUC {one.auc:.3f}, by chance {one.low:.3f} to {one.high:.3f}, p = {one.p_value:.3f}",
                "above the 95 % interval of chance",
                not one.at_chance,
            )


def play(reviews: int, leak: Leak, seed: int) -> list[tuple[Watched, Truth]]:
    """What the watched operator saw of so many reviews, and what was true of them."""
    with tempfile.TemporaryDirectory(prefix="aiqyn-") as folder:
        chance = random.Random(f"{seed} {leak}")  # noqa: S311 - an experiment, no secret
        site = make_site(Path(folder), chance, subjects=SUBJECTS, controls=round(reviews * SPARE))
        try:
            with served(Path(folder), leak) as address:
                return Play(site, address, reviews).run()
        finally:
            site.services.close()


def guesses(seen: Sequence[tuple[Watched, Truth]], seed: int) -> Iterator[Guessed]:
    """How well each secret is guessed from all that was seen."""
    watched, truths = [one for one, _ in seen], [truth for _, truth in seen]
    features, names = matrix(watched)
    subjects = [truth.subject_id for truth in truths]
    yield guess("slot", features, names, [one.second for one in truths], None, seed)
    yield guess("control", features, names, [one.control for one in truths], None, seed)
    yield guess("list", features, names, [one.first_list for one in truths], subjects, seed)
    told = [number for number, one in enumerate(truths) if one.other_said_same is not None]
    answers = [bool(truths[number].other_said_same) for number in told]
    yield guess("the other answer", features[told], names, answers, None, seed)
