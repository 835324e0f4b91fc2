"""Reading catalogues: the one that ships, and ones that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.weights.builders import make_catalog, picture_entry
from weights.card import model_card
from weights.catalog import load_catalog
from weights.convert import CONVERTERS
from weights.errors import CatalogError
from weights.spec import ModelSpec

MODELS = ("centerface", "mobilefacenet-faceplugin", "dlib-resnet", "yolov3-tiny")


def test_the_shipped_catalogue_has_what_the_pipeline_needs() -> None:
    catalog = load_catalog()
    assert catalog.default_ids() == ("centerface", "mobilefacenet-faceplugin", "yolov3-tiny")
    embedders = [spec.id for spec in catalog.of_task("embed")]
    assert embedders == ["mobilefacenet-faceplugin", "dlib-resnet", "sface-2021dec", "auraface"]
    assert [spec.id for spec in catalog.of_task("program")] == ["redis-server", "valkey-server"]
    assert {spec.id for spec in catalog if spec.is_model and spec.source.kind != "url"} == set(MODELS)
    assert len(catalog) == len(list(catalog))


@pytest.mark.parametrize("entry_id", [spec.id for spec in load_catalog() if spec.is_model])
def test_every_model_says_what_the_issue_asks(entry_id: str) -> None:
    spec = load_catalog().get(entry_id)
    assert spec.input
    assert spec.conversion is None or spec.conversion.converter in CONVERTERS
    assert spec.task != "embed" or spec.input.landmarks_template
    assert spec.licence
    assert spec.training_data
    assert spec.output
    assert all(each.source for each in spec.published)


def test_the_detectors_labels_are_those_of_coco() -> None:
    labels = load_catalog().get("yolov3-tiny").labels
    assert len(labels) == len(set(labels)) == 80
    assert (labels[0], labels[2], labels[7], labels[79]) == ("person", "car", "truck", "toothbrush")


def test_the_fine_head_uses_the_anchors_it_was_trained_with() -> None:
    conversion = load_catalog().get("yolov3-tiny").conversion
    assert conversion
    assert conversion.masks == ((3, 4, 5), (1, 2, 3))


def test_the_pictures_show_enough_people_and_one_of_them_twice() -> None:
    pictures = load_catalog().of_task("pictures")
    people = [spec.picture.person for spec in pictures if spec.picture]
    assert len(set(people)) >= 6
    assert max(people.count(person) for person in people) >= 2
    assert all(spec.licence_note and spec.picture and spec.picture.credit for spec in pictures)


@pytest.mark.parametrize("entry_id", list(load_catalog().entries))
def test_every_entry_has_a_card(entry_id: str) -> None:
    spec = load_catalog().get(entry_id)
    card = model_card(spec)
    assert card.startswith(f"# {entry_id}\n")
    assert spec.licence in card
    assert spec.source_sha256 in card
    for text in (spec.training_data, spec.output, spec.notes, spec.alternatives):
        assert text in card


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(CatalogError, match="unknown id 'centreface', did you mean 'centerface'"):
        load_catalog().get("centreface")
    with pytest.raises(CatalogError, match="unknown id 'x'; aiqyn weights list"):
        load_catalog().get("x")


def test_an_unknown_key_names_file_entry_and_key(tmp_path: Path) -> None:
    entry = picture_entry("one", "pkg", "a.bin", b"x").replace("licence =", "license =")
    with pytest.raises(CatalogError, match=r"test-catalog.toml: entry 'one': licence: .* \(and 1 more\)"):
        make_catalog(tmp_path, entry)
    with pytest.raises(CatalogError, match="unknown key 'model'"):
        make_catalog(tmp_path, "[[model]]\n")


def test_a_path_escape_is_one_line_with_its_place(tmp_path: Path) -> None:
    entry = picture_entry("one", "pkg", "../a.bin", b"x")
    with pytest.raises(
        CatalogError, match=r"entry 'one': source.files.0.path: .*inside its package"
    ) as caught:
        make_catalog(tmp_path, entry)
    assert "\n" not in str(caught.value)


def test_an_id_twice_is_refused(tmp_path: Path) -> None:
    entry = picture_entry("one", "pkg", "a.bin", b"x")
    with pytest.raises(CatalogError, match="two entries have the id 'one'"):
        make_catalog(tmp_path, entry, entry)


def test_a_list_of_labels_that_is_not_there_is_refused(tmp_path: Path) -> None:
    entry = picture_entry("one", "pkg", "a.bin", b"x").replace("version =", 'labels = "coco81"\nversion =', 1)
    with pytest.raises(CatalogError, match="coco81"):
        make_catalog(tmp_path, entry)


def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    with pytest.raises(CatalogError, match="cannot be read"):
        load_catalog(files=[file])
    file.write_text("[[entry]\n")
    with pytest.raises(CatalogError, match="not valid TOML"):
        load_catalog(files=[file])
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="cannot be read"):
        load_catalog(files=[file])


@pytest.mark.parametrize(
    "spec", [each for each in load_catalog() if each.source.kind == "url"], ids=lambda each: each.id
)
def test_what_comes_from_an_address_says_who_vouches_for_it_and_is_never_default(spec: ModelSpec) -> None:
    (file,) = spec.source.files
    assert len(file.vouched_by or file.no_upstream_hash) > len("somebody")
    assert spec.source.url.startswith("https://")
    assert not spec.default
