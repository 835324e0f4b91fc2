"""What passed the self-test as an entry: who vouches, what is not known, and which id it gets."""

from __future__ import annotations

import pytest

from pipelines.model_file import inspect
from pipelines.model_registration import Voucher, spec_of, usual_id
from pipelines.model_report import ModelQuestion
from pipelines.model_self_test import self_test
from tests.model_builders import EmbedderFlaws, embedder
from weights.added import entry_text
from weights.card import model_card

REPORT = self_test(inspect(embedder(EmbedderFlaws(one_row=True))), ModelQuestion("embedding")).report


def test_an_entry_says_who_vouches_and_what_is_not_known() -> None:
    spec = spec_of(REPORT, "ours", Voucher("somebody", "2026-03-01T10:00:00Z", "faces.onnx"))
    card = model_card(spec)
    for said in (
        "By somebody, 2026-03-01T10:00:00Z, who vouches for it; nobody else does.",
        "not stated. Whoever added the model is answerable for its terms.",
        "Not known here: nobody told what it was trained on.",
        "The file is not as it was given: declared to take one picture a call.",
        "Colour order and scaling were not tested: that needs pairs of pictures.",
        f"SHA-256 {REPORT.sha256}",
    ):
        assert said in card
    assert (spec.sha256, spec.dimension, spec.source.label) == (REPORT.sha256, 16, "faces.onnx")
    assert "[entry.added]" in entry_text(spec)


def test_a_converted_file_says_of_what() -> None:
    voucher = Voucher(
        "somebody", "2026-03-01T10:00:00Z", "yolo11n.pt", converted_from="yolo11n.pt by ultralytics 8"
    )
    spec = spec_of(REPORT, "ours", voucher)
    assert spec.source.label == "yolo11n.onnx"
    assert "AGPL-3.0" in spec.licence_note
    assert "Converted here from yolo11n.pt by ultralytics 8." in model_card(spec)


@pytest.mark.parametrize(
    ("file_name", "taken", "entry_id"),
    [
        ("YuNet_n (dynamic).ONNX", (), "yunet-n-dynamic"),
        ("yolo11n.pt", (), "yolo11n"),
        ("..onnx", (), "model"),
        ("модель.onnx", (), "model"),
        ("a" * 300, (), "a" * 56),
        ("yunet.onnx", ("yunet",), "yunet-own"),
    ],
)
def test_an_id_out_of_a_name(file_name: str, taken: tuple[str, ...], entry_id: str) -> None:
    assert usual_id(file_name, taken) == entry_id
