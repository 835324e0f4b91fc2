"""What passed the self-test becomes an entry of the site's own catalogue."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

from pipelines.model_report import MarginReport, ModelReport
from weights.spec import Added, ModelSpec, Source, SourceFile

_NOT_STATED = "not stated"
_LICENCE_NOTE = "Whoever added the model is answerable for its terms."
_ULTRALYTICS_NOTE = " Ultralytics' own models are AGPL-3.0, converted ones too."
_UNKNOWN_DATA = (
    "Not known here: nobody told what it was trained on. Assume uneven accuracy across groups of people until you "
    "have measured it on your own pictures."
)
_MOST_ID_CHARACTERS = 56

OUTPUTS: Mapping[str, str] = MappingProxyType(
    {
        "detect": "Read by the family {family}: {shapes}.",
        "face": "Read by the family {family}, five landmarks a face: {shapes}.",
        "embed": "An embedding of {dimension} numbers a face, compared by cosine: {shapes}.",
    }
)


@dataclass(frozen=True, slots=True)
class Voucher:
    """Who adds a model, and what they say of it.

    Attributes:
        by: account on this machine.
        at: UTC, RFC 3339.
        file_name: of the file that was given, without its folder.
        licence: as stated; empty where nobody did.
        training_data: as stated; empty where nobody did.
        converted_from: file, SHA-256 and program, where the ONNX was made here; else empty.
    """

    by: str
    at: str
    file_name: str
    licence: str = ""
    training_data: str = ""
    converted_from: str = ""


def spec_of(report: ModelReport, entry_id: str, voucher: Voucher) -> ModelSpec:
    """The entry.

    Args:
        report: of the self-test.
        entry_id: it gets.
        voucher: who adds it.
    """
    converted = bool(voucher.converted_from)
    file_name = f"{PurePath(voucher.file_name).stem}.onnx" if converted else voucher.file_name
    shapes = ", ".join(f"{each.name} {_axes(each.shape)}" for each in report.outputs)
    return ModelSpec(
        id=entry_id,
        task=report.task,
        family=report.family,
        version=report.sha256[:12],
        title=f"{voucher.file_name}, added at this site as {report.family}",
        source=Source(
            kind="file",
            files=(SourceFile(file_name, report.size_bytes, report.sha256, f"{voucher.by}, who added it"),),
            download_bytes=report.size_bytes,
        ),
        licence=voucher.licence or _NOT_STATED,
        licence_note=_LICENCE_NOTE + (_ULTRALYTICS_NOTE if converted else ""),
        training_data=voucher.training_data or _UNKNOWN_DATA,
        input=report.input,
        output=OUTPUTS[report.task].format(family=report.family, shapes=shapes, dimension=report.dimension),
        dimension=report.dimension,
        labels=report.labels,
        added=Added(voucher.at, voucher.by, _findings(report), voucher.converted_from),
    )


def usual_id(file_name: str, taken: Collection[str]) -> str:
    """An id out of a file's name: small letters, digits, dots and dashes; one that is not taken.

    >>> usual_id("YuNet_n (dynamic).onnx", ())
    'yunet-n-dynamic'
    >>> usual_id("yunet.onnx", {"yunet"})
    'yunet-own'
    """
    stem = re.sub(r"\.(onnx|pt)$", "", file_name.lower())
    plain = re.sub(r"[^a-z0-9.]+", "-", stem).strip("-.")[:_MOST_ID_CHARACTERS] or "model"
    return f"{plain}-own" if plain in taken else plain


def _findings(report: ModelReport) -> tuple[str, ...]:
    found = [f"{finding.name}: {finding.sentence}" for finding in report.findings]
    if report.rewritten:
        found.append(f"The file is not as it was given: {report.rewritten}.")
    if report.margins:
        found += margin_sentences(report.margins)
    elif report.task == "embed":
        found.append("Colour order and scaling were not tested: that needs pairs of pictures.")
    return tuple(found)


def margin_sentences(margins: MarginReport) -> list[str]:
    """The answers in plain words."""
    sentences = []
    for answer in margins.answers:
        told = f"{answer.subject} {answer.declared}: {answer.verdict}"
        if answer.better:
            told += f", {answer.better} fits better"
        sentences.append(f"{told} (p = {answer.p_value:.2g}).")
    sentences.append(
        f"Tested on {margins.pairs} pairs of {margins.people} people, {margins.pictures} faces"
        + (f"; {margins.without_face} pictures gave none." if margins.without_face else ".")
    )
    return sentences


def _axes(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('?' if axis is None else str(axis) for axis in shape)})"
