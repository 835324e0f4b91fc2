"""Photographs from a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiqyn.demo.footage.errors import FootageError
from aiqyn.demo.footage.photographs import load_photographs
from tests.unit.aiqyn.demo.figures import PORTRAIT, drawn_portrait
from vision.images import encode_png


def test_a_folder_holds_them_by_id(tmp_path: Path) -> None:
    (tmp_path / "drawn-portrait.txt").write_text("a note beside the picture", encoding="utf-8")
    (tmp_path / "drawn-portrait.png").write_bytes(encode_png(drawn_portrait()))
    loaded = load_photographs(tmp_path, [PORTRAIT])
    assert np.array_equal(loaded["drawn-portrait"], drawn_portrait())


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(FootageError, match="no picture called drawn-portrait; run: aiqyn weights pull"):
        load_photographs(tmp_path, [PORTRAIT])
