"""A site's own models beside the catalogue: whole or not at all, verified, and each on its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.weights.builders import make_catalog, picture_entry, sha256
from weights.added import card_path, entry_text, onnx_path, read_added, register, unregister
from weights.catalog import Catalog, load_catalog
from weights.errors import CacheError, CatalogError, FetchError, HashMismatchError
from weights.spec import Added, InputSpec, ModelSpec, Source, SourceFile
from weights.store import WeightStore

CONTENT = b"an ONNX file, as far as the store can tell"
SHIPPED = ("centerface",)
ROOT = Path(__file__).parents[3]


def make_spec(entry_id: str = "own", content: bytes = CONTENT) -> ModelSpec:
    """An added face detector."""
    file = SourceFile("own.onnx", len(content), sha256(content), "somebody, who added it")
    return ModelSpec(
        id=entry_id,
        task="face",
        family="yunet",
        version="1",
        title="Ours — “the one” \\ with quotes",
        source=Source("file", (file,), len(content)),
        licence="MIT",
        training_data="Our own corridor.",
        input=InputSpec((0, 0), "bgr", multiple_of_px=32),
        output="as YuNet",
        added=Added("2026-03-01T10:00:00Z", "somebody", ("values: finite.", "speed: 3 ms.")),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A weights folder with one added model."""
    register(tmp_path, make_spec(), CONTENT, SHIPPED)
    return tmp_path


def test_an_added_model_is_an_entry_like_any_other(root: Path) -> None:
    store = WeightStore(root, load_catalog(root))
    assert store.catalog.get("own") == make_spec()
    assert [spec.id for spec in store.catalog.of_task("face")][-1] == "own"
    assert store.read("own") == CONTENT
    assert store.path("own") == onnx_path(root, make_spec())
    assert store.state("own") == "ready"
    store.pull(["own"])
    card = card_path(root, "own").read_text()
    assert "somebody, 2026-03-01T10:00:00Z, who vouches for it; nobody else does" in card
    assert "values: finite." in card


def test_without_a_folder_there_is_the_catalogue_alone(root: Path, tmp_path: Path) -> None:
    assert "own" not in load_catalog().entries
    assert "own" not in load_catalog(tmp_path / "elsewhere").entries


@pytest.mark.parametrize("changed", [b"", CONTENT + b"!", b"other"])
def test_a_changed_file_is_never_read(root: Path, changed: bytes) -> None:
    onnx_path(root, make_spec()).write_bytes(changed)
    store = WeightStore(root, load_catalog(root))
    assert store.state("own") == "damaged"
    with pytest.raises(
        HashMismatchError, match=r"aiqyn weights add own\.onnx --family yunet --id own --replace"
    ):
        store.read("own")


def test_a_lost_file_comes_from_nowhere_else(root: Path) -> None:
    onnx_path(root, make_spec()).unlink()
    store = WeightStore(root, load_catalog(root))
    assert store.state("own") == "absent"
    with pytest.raises(CacheError, match=r"own is not in .*aiqyn weights add"):
        store.read("own")
    with pytest.raises(FetchError, match=r"own\.onnx was added here from a file and comes from nowhere else"):
        store.pull(["own"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[[entry]\n", "not valid TOML", id="no TOML"),
        pytest.param("", "exactly one entry, holds 0", id="nothing"),
        pytest.param(entry_text(make_spec("other")), "holds the entry 'other'", id="another id"),
        pytest.param(
            entry_text(make_spec("bad")).replace("family", "familie"),
            "entry 'bad': family",
            id="a misspelt key",
        ),
        pytest.param(entry_text(make_spec("bad")) * 2, "exactly one entry, holds 2", id="two"),
        pytest.param(
            picture_entry("bad", "pkg", "a", b"x"),
            "not a model that was added from a file",
            id="no added model",
        ),
        pytest.param("x" * 2_000_000, "is not the description of a model", id="huge"),
    ],
)
def test_a_broken_entry_costs_only_itself(root: Path, text: str, said: str) -> None:
    (root / "added" / "bad.toml").write_text(text)
    catalog = load_catalog(root)
    assert WeightStore(root, catalog).read("own") == CONTENT
    assert list(catalog.broken) == ["bad"]
    with pytest.raises(CatalogError, match="'bad' was added here and cannot be used: ") as caught:
        catalog.get("bad")
    assert said in str(caught.value)
    assert str(caught.value).endswith("aiqyn weights remove bad")
    assert "\n" not in str(caught.value)
    unregister(root, "bad")
    assert not load_catalog(root).broken


def test_an_added_model_shadows_nothing(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="the id 'centerface' is the catalogue's own"):
        register(tmp_path, make_spec("centerface"), CONTENT, SHIPPED)
    assert not (tmp_path / "added").exists()
    register(tmp_path, make_spec("centerface"), CONTENT, ())
    catalog = load_catalog(tmp_path)
    assert catalog.get("centerface").added is None
    assert "catalogue's own" in catalog.broken["centerface"]


def test_a_folder_instead_of_a_description_is_broken(root: Path) -> None:
    (root / "added" / "bad.toml").mkdir()
    assert "is not the description" in load_catalog(root).broken["bad"]


def test_who_comes_second_does_not_replace(root: Path) -> None:
    """Two may be tested at once under one id: neither was there when the other began."""
    other = b"another"
    with pytest.raises(
        CatalogError, match="a model called 'own' was added before; replace it with --replace"
    ):
        register(root, make_spec(content=other), other, SHIPPED, replace_same=False)
    assert WeightStore(root, load_catalog(root)).read("own") == CONTENT


@pytest.mark.parametrize("way", ["{root}/added/own", "../added/own", "./own", "own/../own"])
def test_only_an_id_is_removed(root: Path, way: str) -> None:
    with pytest.raises(CatalogError, match="no model called"):
        unregister(root, way.format(root=root))
    assert "own" in load_catalog(root).entries


def test_replacing_leaves_one_file(root: Path) -> None:
    other = b"a better one"
    register(root, make_spec(content=other), other, SHIPPED)
    assert WeightStore(root, load_catalog(root)).read("own") == other
    assert sorted(path.suffix for path in (root / "added").iterdir()) == [".md", ".onnx", ".toml"]


def test_removing_takes_everything(root: Path) -> None:
    unregister(root, "own")
    assert list((root / "added").iterdir()) == []
    for entry_id in ("own", "centerface", "../own", ""):
        with pytest.raises(CatalogError, match="no model called"):
            unregister(root, entry_id)


def test_only_what_was_added_may_be_registered(tmp_path: Path) -> None:
    shipped: Catalog = make_catalog(tmp_path, picture_entry("one", "pkg", "a", b"x"))
    with pytest.raises(CatalogError, match="not a model that was added"):
        register(tmp_path, shipped.get("one"), b"x", ())


PROGRAM = """
import os, sys
from pathlib import Path
from tests.unit.weights.test_added import CONTENT, SHIPPED, make_spec
from weights import added, cache
whole, steps = cache.Cache.write, 0
def write(self, path, content, **more):
    global steps
    steps += 1
    if steps == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
    whole(self, path, content, **more)
cache.Cache.write = write
added.register(Path(sys.argv[1]), make_spec("new"), CONTENT, SHIPPED)
"""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_whoever_is_killed_registers_nothing(root: Path, step: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(root), str(step)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    catalog = load_catalog(root)
    assert "new" not in catalog.entries
    assert not catalog.broken
    assert WeightStore(root, catalog).read("own") == CONTENT
    register(root, make_spec("own"), CONTENT, SHIPPED)
    assert not list((root / "added").glob("new*"))


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.unit.weights.test_added import CONTENT, SHIPPED, make_spec
from weights import added
from weights.errors import CacheError
# A limit on the size of files stands for the full disk: the same write fails at the same place.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    added.register(Path(sys.argv[1]), make_spec("new"), CONTENT, SHIPPED)
except CacheError as error:
    sys.exit(f"CacheError: {error}")
"""


def test_a_full_disk_registers_nothing_and_says_so(root: Path) -> None:
    command = [sys.executable, "-c", FULL, str(root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("CacheError: weights folder ")
    assert "free some space" in done.stderr
    assert set(read_added(root, ()).entries) == {"own"}
    assert not list((root / "added").glob("new*"))
