"""What is asked about a model, and what its self-test answers: plain data that crosses from process to process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from pydantic import TypeAdapter

from pipelines.families import DETECTORS, EMBEDDERS, FACE_DETECTORS
from weights.spec import Colour, InputSpec, Task, Triple

Scaling: TypeAlias = Literal["minus-one-to-one", "zero-to-one", "zero-to-255", "imagenet"]
Verdict: TypeAlias = Literal["right", "wrong", "cannot tell"]
Outcome: TypeAlias = Literal["passed", "noted", "doubtful"]

SCALINGS: Mapping[Scaling, tuple[Triple, Triple]] = MappingProxyType(
    {
        "minus-one-to-one": ((127.5,) * 3, (1 / 127.5,) * 3),
        "zero-to-one": ((0.0,) * 3, (1 / 255,) * 3),
        "zero-to-255": ((0.0,) * 3, (1.0,) * 3),
        "imagenet": ((123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375)),
    }
)
"""Mean and scale on 0 to 255 in RGB order; ImageNet's are those of the pre-trained models of torchvision."""

IN_WORDS: Mapping[Scaling, str] = MappingProxyType(
    {
        "minus-one-to-one": "(x − 127.5) / 127.5",
        "zero-to-one": "0 to 1",
        "zero-to-255": "0 to 255",
        "imagenet": "ImageNet's mean and deviation",
    }
)


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """What somebody says a model is.

    Attributes:
        family: name in one of the tables of `pipelines.families`.
        colour: order of the channels it wants; None for the family's usual.
        scaling: of the values it wants; None for the family's usual.
        size_wh: of its input, pixels, where the file leaves it open; None for what follows from file and family.
        labels: class names by index; empty for those in the file, else COCO's where their number fits.
    """

    family: str
    colour: Colour | None = None
    scaling: Scaling | None = None
    size_wh: tuple[int, int] | None = None
    labels: tuple[str, ...] = ()

    def applied_to(self, usual: InputSpec) -> InputSpec:
        """The family's usual input with what was said put in its place."""
        colour = self.colour or usual.colour
        mean, scale = usual.mean, usual.scale
        if self.scaling:
            mean, scale = scaling_values(self.scaling, colour)
        size_wh = self.size_wh or usual.size_wh
        multiple = 0 if self.size_wh else usual.multiple_of_px
        return replace(usual, colour=colour, mean=mean, scale=scale, size_wh=size_wh, multiple_of_px=multiple)


def scaling_values(scaling: Scaling, colour: Colour) -> tuple[Triple, Triple]:
    """Mean and scale in the order of the model's channels."""
    mean, scale = SCALINGS[scaling]
    if colour == "bgr":
        return (mean[2], mean[1], mean[0]), (scale[2], scale[1], scale[0])
    return mean, scale


def scaling_of(wanted: InputSpec) -> Scaling | None:
    """The name of an input's scaling; None where it has none."""
    for name in SCALINGS:
        pairs = zip(scaling_values(name, wanted.colour), (wanted.mean, wanted.scale), strict=True)
        if all(abs(a - b) < 1e-6 for one, other in pairs for a, b in zip(one, other, strict=True)):
            return name
    return None


def task_of(family: str) -> Task | None:
    """What models of a family are for; None where nothing here reads that family."""
    tables: tuple[tuple[Task, Mapping[str, Any]], ...] = (
        ("detect", DETECTORS),
        ("face", FACE_DETECTORS),
        ("embed", EMBEDDERS),
    )
    return next((task for task, table in tables if family in table), None)


def all_families() -> tuple[str, ...]:
    """Every family there is, by task."""
    return (*DETECTORS, *FACE_DETECTORS, *EMBEDDERS)


@dataclass(frozen=True, slots=True)
class TensorShape:
    """A declared input or output; None for an axis of any length."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the self-test looked at.

    Attributes:
        name: of the test, in a word or two.
        outcome: `passed`; `noted`, which one should know; `doubtful`, which speaks against the model.
        sentence: for people.
    """

    name: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class SettingTest:
    """One alternative to what was declared, the same faces embedded both ways.

    Attributes:
        setting: the alternative: colour order and scaling.
        margin_gain: mean margin as declared less the mean margin this way, in standard deviations of strangers'
            similarities; above 0 speaks for what was declared.
        p_value: two-sided, corrected for the number of alternatives by Holm's method.
    """

    colour: Colour
    scaling: Scaling
    margin_gain: float
    p_value: float


@dataclass(frozen=True, slots=True)
class SettingAnswer:
    """Whether one thing was declared rightly.

    Attributes:
        subject: `colour order` or `scaling`.
        declared: what was said.
        verdict: right: it beats every alternative; wrong: an alternative beats it.
        better: the best of the alternatives that beat it; empty unless wrong.
        p_value: of the decision: for `right`, the largest among the alternatives; for `wrong`, that of the
            better one; else the smallest.
        alternatives: each with its own figures.
    """

    subject: str
    declared: str
    verdict: Verdict
    better: str
    p_value: float
    alternatives: tuple[SettingTest, ...]


@dataclass(frozen=True, slots=True)
class MarginReport:
    """The paired margin test of an embedder.

    Attributes:
        pairs: of one person, both faces found.
        people: independent units of the test: people these pairs are of.
        pictures: embedded in every setting.
        without_face: pictures in which no face was found or that could not be read.
        margin: mean as declared, in standard deviations of strangers' similarities.
        answers: about colour order and scaling.
        best_colour: of the setting with the largest margin of all.
        best_scaling: likewise.
    """

    pairs: int
    people: int
    pictures: int
    without_face: int
    margin: float
    answers: tuple[SettingAnswer, ...]
    best_colour: Colour
    best_scaling: Scaling

    @property
    def wrong(self) -> tuple[SettingAnswer, ...]:
        """What was declared wrongly."""
        return tuple(answer for answer in self.answers if answer.verdict == "wrong")


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The self-test of one model that passed.

    Attributes:
        family: it was read as.
        task: of the family.
        sha256: of what is to be registered.
        size_bytes: of the same.
        opset: of ONNX's own operators.
        producer: program that wrote the file, as it says.
        inputs: declared.
        outputs: declared.
        input: how it is fed.
        labels: class names; empty where there are none.
        dimension: length of an embedding; 0 otherwise.
        batch: pictures in one call: `any`, or the only number it takes.
        ms_per_picture: median, pre- and post-processing included, on one thread of this machine's processor.
        findings: in the order they were made.
        rewritten: what was changed in the file, a phrase; empty where it is as it was given.
        margins: of the test with pairs; None without.
    """

    family: str
    task: Task
    sha256: str
    size_bytes: int
    opset: int
    producer: str
    inputs: tuple[TensorShape, ...]
    outputs: tuple[TensorShape, ...]
    input: InputSpec
    labels: tuple[str, ...]
    dimension: int
    batch: str
    ms_per_picture: float
    findings: tuple[Finding, ...]
    rewritten: str = ""
    margins: MarginReport | None = None

    @property
    def doubts(self) -> tuple[Finding, ...]:
        """What speaks against the model."""
        return tuple(finding for finding in self.findings if finding.outcome == "doubtful")


def report_from(document: object) -> ModelReport:
    """The report in a JSON document's values; ValidationError where it is none."""
    return TypeAdapter(ModelReport).validate_python(document)


def margins_from(document: object) -> MarginReport:
    """As `report_from`, of a margin test."""
    return TypeAdapter(MarginReport).validate_python(document)


def question_from(document: object) -> ModelQuestion:
    """As `report_from`, of a question."""
    return TypeAdapter(ModelQuestion).validate_python(document)
