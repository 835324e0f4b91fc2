"""Which colour order and which scaling an embedder wants, asked of pairs of faces: a paired margin test.

The same faces are embedded as declared and in every other way. How far a pair of one person stands out is its
margin: its similarity less the mean similarity of strangers, in standard deviations of strangers' similarities,
all in the same setting, so that settings which merely stretch or shift all similarities gain nothing. What is
tested is the difference of margins between two settings. Pairs that share a person, and pairs compared with the
same strangers, are not independent: the error of the mean difference comes from leaving out one person at a time
(the delete-one jackknife; Efron and Stein, Annals of Statistics 9, 1981), with Student's t and Holm's correction
for the number of alternatives (Scandinavian Journal of Statistics 6, 1979).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.errors import ModelCheckError
from pipelines.model_report import (
    IN_WORDS,
    SCALINGS,
    MarginReport,
    Scaling,
    SettingAnswer,
    SettingTest,
    scaling_of,
    scaling_values,
)
from vision.face.embed import EmbedderOptions, FaceEmbedder
from vision.runtime import InferenceSession, RuntimeOptions
from vision.types import Float32, Image, Int64, ModelInput
from weights.spec import Colour, InputSpec

Float64: TypeAlias = npt.NDArray[np.float64]
Setting: TypeAlias = tuple[Colour, Scaling]

SIGNIFICANCE = 0.01
"""Below it the answer is right or wrong, from it on `cannot tell`: at most one false answer in a hundred models."""

MIN_PEOPLE = 5
"""With fewer, the spread between people is not known well enough for any answer."""

_CHIPS_A_STEP = 64
_COLOURS: tuple[Colour, ...] = ("bgr", "rgb")


@dataclass(frozen=True, slots=True, repr=False)
class FacesInPairs:
    """Aligned faces and the pairs of one person among them.

    Attributes:
        chips: (M, S, S, 3) uint8 BGR.
        person: (M,) int64, who each shows, counted from 0.
        first: (N,) int64, rows of `chips`.
        second: (N,) int64, rows of `chips`.
        without_face: pictures that gave no chip.
    """

    chips: Image
    person: Int64
    first: Int64
    second: Int64
    without_face: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Sums:
    """What one setting's similarities add up to, by person, so that leaving one out costs nothing.

    Attributes:
        strangers: (P, 3): number, sum and sum of squares of the similarities between each person's pictures
            and everybody else's.
        all_strangers: (3,): the same over all pairs of strangers.
        genuine: (P,) mean similarity of each person's listed pairs; NaN without one.
    """

    strangers: Float64
    all_strangers: Float64
    genuine: Float64

    @property
    def has_pairs(self) -> npt.NDArray[np.bool_]:
        """(P,) whether a person has a pair of her own."""
        return np.asarray(~np.isnan(self.genuine))


def save_faces(path: Path, faces: FacesInPairs) -> None:
    """Writes the faces for the child process."""
    with path.open("wb") as file:
        np.savez(
            file,
            chips=faces.chips,
            person=faces.person,
            first=faces.first,
            second=faces.second,
            without_face=np.array(faces.without_face),
        )


def load_faces(path: Path) -> FacesInPairs:
    """What `save_faces` wrote."""
    with np.load(path, allow_pickle=False) as parts:
        chips, person, first, second = (parts[name] for name in ("chips", "person", "first", "second"))
        return FacesInPairs(chips, person, first, second, int(parts["without_face"]))


def compare_settings(
    content: bytes, declared: InputSpec, faces: FacesInPairs, tell: Callable[[int, int], None]
) -> MarginReport:
    """Embeds the faces in every setting and answers for colour order and scaling.

    Args:
        content: the embedder's ONNX file.
        declared: how it is said to be fed; its scaling must be one of `SCALINGS`.
        faces: aligned as declared.
        tell: told how many embeddings are done, and of how many.

    Raises:
        ModelCheckError: too few people with pairs, or a scaling without a name.
        ModelError: the model failed.
    """
    scaling = scaling_of(declared)
    if scaling is None:
        raise ModelCheckError("is fed in a way that has no name here; the margin test compares named ones")
    here: Setting = (declared.colour, scaling)
    people = len(np.unique(faces.person[faces.first]))
    if people < MIN_PEOPLE or len(np.unique(faces.person)) < 2 * MIN_PEOPLE:
        raise ModelCheckError(
            f"cannot be tested on these pairs: {people} people have a pair of their own and "
            f"{len(np.unique(faces.person))} are in them at all; {MIN_PEOPLE} and {2 * MIN_PEOPLE} are needed"
        )
    examiner = _Examiner(content, declared, faces, tell)
    other_colour: Setting = (_swapped(declared.colour), scaling)
    other_scalings: list[Setting] = [(declared.colour, name) for name in SCALINGS if name != scaling]
    sums = examiner.sums([here, other_colour, *other_scalings])
    tests = _holm([_compare(sums[here], sums[each], each) for each in (other_colour, *other_scalings)])
    colour = _answer("colour order", declared.colour.upper(), tests[:1])
    answers = (colour, _answer("scaling", IN_WORDS[scaling], tests[1:]))
    if any(answer.verdict == "wrong" for answer in answers):
        # Both may be wrong at once: only then is it worth the time to look at the rest.
        sums |= examiner.sums([(other_colour[0], name) for _, name in other_scalings])
    best = max(sums, key=lambda each: margin(sums[each]))
    return MarginReport(
        pairs=len(faces.first),
        people=people,
        pictures=len(faces.chips),
        without_face=faces.without_face,
        margin=margin(sums[here]),
        answers=answers,
        best_colour=best[0],
        best_scaling=best[1],
    )


def sums_of(embeddings: Float32, faces: FacesInPairs) -> Sums:
    """The sums of one setting.

    Args:
        embeddings: (M, D) of unit length.
        faces: whose they are.
    """
    people = int(faces.person.max()) + 1
    member = np.zeros((people, len(faces.person)))
    member[faces.person, np.arange(len(faces.person))] = 1
    similarity = (embeddings @ embeddings.T).astype(np.float64)
    stranger = faces.person[:, None] != faces.person[None, :]
    rows = [member @ (stranger * similarity**power).sum(axis=1) for power in (0, 1, 2)]
    strangers = np.stack(rows, axis=1)
    owner = faces.person[faces.first]
    values = similarity[faces.first, faces.second]
    count = np.bincount(owner, minlength=people)
    genuine = np.full(people, np.nan)
    np.divide(np.bincount(owner, values, minlength=people), count, out=genuine, where=count > 0)
    return Sums(strangers, strangers.sum(axis=0) / 2, genuine)


def margin(sums: Sums) -> float:
    """Mean over people of how far their own pairs stand out, in standard deviations of strangers."""
    mean, deviation = _mean_and_deviation(sums.all_strangers)
    return float((np.nanmean(sums.genuine) - mean) / deviation)


def margins_without_each(sums: Sums) -> Float64:
    """(P,) the same with each person left out in turn, as a subject and as a stranger."""
    mean, deviation = _mean_and_deviation(sums.all_strangers - sums.strangers)
    has = sums.has_pairs
    left = (np.nansum(sums.genuine) - np.where(has, sums.genuine, 0)) / (has.sum() - has)
    return np.asarray((left - mean) / deviation)


def p_value(here: Sums, there: Sums) -> tuple[float, float]:
    """Mean margin of one setting less the other's, and the two-sided chance of so large a difference by luck."""
    from scipy.stats import t

    gain = margin(here) - margin(there)
    left = margins_without_each(here) - margins_without_each(there)
    count = len(left)
    error = float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
    # Few people have pairs, however many strangers there are: the fewer count.
    freedom = int(here.has_pairs.sum()) - 1
    return gain, float(2 * t.sf(abs(gain) / error, freedom)) if error > 0 else 1.0


def _mean_and_deviation(moments: Float64) -> tuple[Float64, Float64]:
    count, total, squares = np.moveaxis(moments, -1, 0)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 1e-12))


def _compare(here: Sums, there: Sums, setting: Setting) -> SettingTest:
    gain, chance = p_value(here, there)
    return SettingTest(setting[0], setting[1], gain, chance)


def _holm(tests: Sequence[SettingTest]) -> list[SettingTest]:
    """The same tests with p-values that allow for how many there are, in the order given."""
    corrected: dict[int, float] = {}
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(tests)), key=lambda each: tests[each].p_value)):
        largest = max(largest, min(1.0, (len(tests) - rank) * tests[index].p_value))
        corrected[index] = largest
    return [
        SettingTest(each.colour, each.scaling, each.margin_gain, corrected[index])
        for index, each in enumerate(tests)
    ]


def _answer(subject: str, declared: str, tests: Sequence[SettingTest]) -> SettingAnswer:
    worse = [each for each in tests if each.margin_gain > 0 and each.p_value < SIGNIFICANCE]
    better = [each for each in tests if each.margin_gain < 0 and each.p_value < SIGNIFICANCE]
    if better:
        best = min(better, key=lambda each: each.margin_gain)
        name = best.colour.upper() if subject == "colour order" else IN_WORDS[best.scaling]
        return SettingAnswer(subject, declared, "wrong", name, best.p_value, tuple(tests))
    if len(worse) == len(tests):
        return SettingAnswer(
            subject, declared, "right", "", max(each.p_value for each in tests), tuple(tests)
        )
    # What keeps it from being right: the alternative that is hardest to tell from it.
    return SettingAnswer(
        subject, declared, "cannot tell", "", max(each.p_value for each in tests), tuple(tests)
    )


class _Examiner:
    """Embeds the faces in one setting after the other."""

    def __init__(
        self, content: bytes, declared: InputSpec, faces: FacesInPairs, tell: Callable[[int, int], None]
    ) -> None:
        self._session = InferenceSession(content, RuntimeOptions(("CPUExecutionProvider",)))
        self._declared = declared
        self._faces = faces
        self._tell = tell
        self._done = 0
        self._of = 0

    def sums(self, settings: Sequence[Setting]) -> dict[Setting, Sums]:
        """By setting."""
        self._of += len(settings) * len(self._faces.chips)
        return {each: sums_of(self._embed(each), self._faces) for each in settings}

    def _embed(self, setting: Setting) -> Float32:
        colour, scaling = setting
        mean, scale = scaling_values(scaling, colour)
        template = self._declared.landmarks_template or ()
        wanted = ModelInput(self._declared.size_wh, colour, mean, scale)
        # Averaging in the mirrored face would take twice the time and answer the same question.
        options = EmbedderOptions(mirrored=False)
        embedder = FaceEmbedder(self._session, wanted, template, options)
        rows = []
        for start in range(0, len(self._faces.chips), _CHIPS_A_STEP):
            rows.append(embedder.embed_chips(self._faces.chips[start : start + _CHIPS_A_STEP]))
            self._done += len(rows[-1])
            self._tell(self._done, self._of)
        return np.concatenate(rows)


def _swapped(colour: Colour) -> Colour:
    return _COLOURS[1 - _COLOURS.index(colour)]
