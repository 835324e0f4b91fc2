"""The rules of a catalogue entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from weights.catalog import load_catalog
from weights.spec import ModelSpec, Source, this_machine

DIGEST = "0" * 64


def _model() -> dict[str, Any]:
    """A valid entry, to be spoilt."""
    return {
        "id": "tiny",
        "task": "detect",
        "family": "yolo",
        "version": "1",
        "title": "Tiny",
        "licence": "MIT",
        "onnx_sha256": DIGEST,
        "training_data": "None.",
        "output": "Nothing.",
        "published": [{"figure": "0", "source": "here"}],
        "input": {"size_wh": [32, 32], "colour": "rgb"},
        "conversion": {"converter": "darknet", "onnx_size_bytes": 5},
        "source": {
            "kind": "pypi",
            "package": "tiny",
            "version": "1.0",
            "download_bytes": 9,
            "files": [{"path": "tiny/a.weights", "sha256": DIGEST, "size_bytes": 4}],
        },
    }


def _spec(values: dict[str, Any]) -> ModelSpec:
    return TypeAdapter(ModelSpec).validate_python(values)


def test_a_valid_entry_becomes_a_frozen_spec() -> None:
    spec = _spec(_model())
    assert (spec.sha256, spec.size_bytes, spec.file_suffix, spec.is_model) == (DIGEST, 5, ".onnx", True)
    assert spec.source.files[0].name == "a.weights"
    with pytest.raises(AttributeError):
        spec.id = "other"  # type: ignore[misc]


Spoil = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda e: e.update(licens="MIT"), "licens", id="unknown key"),
        pytest.param(lambda e: e["source"].update(mirror="x"), "mirror", id="unknown key of the source"),
        pytest.param(lambda e: e["input"].update(color="rgb"), "color", id="unknown key of the input"),
        pytest.param(lambda e: e["source"]["files"][0].update(md5="x"), "md5", id="unknown key of a file"),
        pytest.param(lambda e: e.pop("licence"), "licence", id="missing key"),
        pytest.param(lambda e: e.update(task="paint"), "task", id="unknown task"),
        pytest.param(lambda e: e.update(id="Big Model"), "id", id="id with a space"),
        pytest.param(lambda e: e.update(onnx_sha256="abc"), "onnx_sha256", id="short hash"),
        pytest.param(lambda e: e.update(onnx_sha256=None), "go together", id="conversion without hash"),
        pytest.param(lambda e: e.update(published=[]), "published", id="no accuracy"),
        pytest.param(lambda e: e.update(training_data=""), "training_data", id="no training data"),
        pytest.param(lambda e: e.update(dimension=512), "dimension", id="a detector with a dimension"),
        pytest.param(
            lambda e: e.update(picture={"person": "A", "credit": "B"}), "picture", id="stray picture"
        ),
        pytest.param(
            lambda e: e["input"].update(mean=[float("nan"), 0, 0]), "mean", id="mean is not a number"
        ),
        pytest.param(
            lambda e: e["source"].update(package="--index-url"), "package", id="an option as package"
        ),
        pytest.param(lambda e: e["source"].update(version="-r"), "dash", id="an option as version"),
        pytest.param(lambda e: e["source"].update(package=""), "package", id="no package"),
        pytest.param(lambda e: e["source"].update(files=[]), "files", id="no file"),
    ],
)
def test_a_spoilt_entry_is_refused(spoil: Spoil, said: str) -> None:
    values = _model()
    spoil(values)
    with pytest.raises(ValidationError, match=said):
        _spec(values)


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/etc/passwd", "a\\..\\b", "", ".", "c:/a", ".."])
def test_a_path_that_leaves_its_package_is_refused(path: str) -> None:
    values = _model()
    values["source"]["files"][0]["path"] = path
    with pytest.raises(ValidationError, match="path"):
        _spec(values)


def test_an_address_must_be_http() -> None:
    source = {**_model()["source"], "kind": "url", "url": "file:///etc/passwd"}
    with pytest.raises(ValidationError, match="url"):
        TypeAdapter(Source).validate_python(source)


def test_an_entry_for_another_machine_does_not_run_here() -> None:
    assert _spec(_model()).runs_here
    assert _spec({**_model(), "machine": this_machine()}).runs_here
    assert not _spec({**_model(), "machine": "hurd-vax"}).runs_here


def test_one_fetch_serves_entries_of_one_package() -> None:
    catalog = load_catalog()
    first, second = catalog.get("photo-barack-obama-2009"), catalog.get("photo-joe-biden-2010")
    assert first.source.package_key == second.source.package_key
    assert first.source.package_key != catalog.get("centerface").source.package_key
