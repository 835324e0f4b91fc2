"""What the catalogue says of one file: where it comes from, what it is, and how a model is to be fed.

This module knows no vision class; `pipelines.build` turns a `ModelSpec` into a detector or an embedder.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field

Task: TypeAlias = Literal["detect", "face", "embed", "program", "pictures"]
SourceKind: TypeAlias = Literal["pypi", "npm", "url", "file"]
Artifact: TypeAlias = Literal["wheel", "sdist", "any"]
Colour: TypeAlias = Literal["rgb", "bgr"]
Triple: TypeAlias = tuple[float, float, float]
Point: TypeAlias = tuple[float, float]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


def _inside(path: str) -> str:
    """`path` when it stays inside the archive that holds it."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or ":" in parts[0] or ".." in parts:
        raise ValueError("must be a relative path that stays inside its package")
    return path


Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(gt=0)]
SizeOrUnknown = Annotated[int, Field(ge=0)]
InnerPath = Annotated[str, AfterValidator(_inside)]
Text = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file inside a package, or the file behind an address.

    Attributes:
        path: inside the package, without the folder an sdist or npm tarball wraps around everything.
        size_bytes: of the file; 0 where it could not be learnt, which only a file without a hash may say.
        sha256: of the file itself, so that any package or mirror carrying it will do; empty: unpinned.
        vouched_by: where that hash is published, or who found it; empty: found by us in the package named.
        no_upstream_hash: why none could be learnt. Such a file is unpinned, and nothing is fetched, until
            the operator pins it; with her pin it has both this and a hash.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    path: InnerPath
    size_bytes: SizeOrUnknown
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    vouched_by: str = ""
    no_upstream_hash: str = ""

    def __post_init__(self) -> None:
        if not self.sha256 and not self.no_upstream_hash:
            raise ValueError("a file needs `sha256`, or `no_upstream_hash` saying why there is none")
        if not self.sha256 and self.vouched_by:
            raise ValueError("`vouched_by` is for a hash, and this file has none")
        if not self.size_bytes and not self.no_upstream_hash:
            raise ValueError("`size_bytes` may be 0 (not known) only where no hash could be learnt either")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class Requirement:
    """One exact package of the Python registry.

    Attributes:
        name: of the package.
        version: exact.
        artifact: take the wheel, the sdist, or whichever the index prefers.
        python: CPython version whose wheel is taken, whatever Python runs here; empty: this one's.
        platform: platform tag whose wheel is taken; empty: this machine's.
        wheel_sha256s: the wheels that will do, where not only a file inside them is verified.
    """

    name: str
    version: str
    artifact: Artifact = "any"
    python: str = ""
    platform: str = ""
    wheel_sha256s: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes come from.

    Attributes:
        kind: which client fetches it; `file`: nobody does, it was given to us here.
        files: what is taken out of it; a conversion gets them in this order.
        download_bytes: of the whole package, which is what is transferred; 0 where it could not be learnt.
        package: name in the registry; empty for `url`.
        version: exact version in the registry; empty for `url`.
        url: address of the one file; empty otherwise.
        artifact: for `pypi`: take the wheel, the sdist, or whichever the index prefers.
        python: for `pypi` wheels: CPython version whose wheel is taken, whatever Python runs here.
        platform: for `pypi` wheels: platform tag whose wheel is taken.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: SourceKind
    files: Annotated[tuple[SourceFile, ...], Field(min_length=1)]
    download_bytes: SizeOrUnknown
    package: Annotated[str, Field(pattern=r"^(@[a-z0-9_.-]+/)?[A-Za-z0-9_.-]*$")] = ""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]*$")] = ""
    url: Annotated[str, Field(pattern=r"^(https?://.*)?$")] = ""
    artifact: Artifact = "any"
    python: Annotated[str, Field(pattern=r"^(3\.\d+)?$")] = ""
    platform: Annotated[str, Field(pattern=r"^\w*$")] = ""

    def __post_init__(self) -> None:
        if self.kind == "url" and (not self.url or len(self.files) != 1):
            raise ValueError("a url source needs `url` and exactly one file")
        if self.kind == "file" and (self.package or self.url or len(self.files) != 1):
            raise ValueError("a file source has exactly one file, and neither package nor url")
        if self.kind in ("pypi", "npm") and not (self.package and self.version):
            raise ValueError(f"a {self.kind} source needs `package` and `version`")
        if not self.download_bytes and not any(file.no_upstream_hash for file in self.files):
            raise ValueError(
                "`download_bytes` may be 0 (not known) only where no hash could be learnt either"
            )
        if self.package.startswith("-") or self.version.startswith("-"):
            raise ValueError("a package name or version must not start with a dash")

    @property
    def requirement(self) -> Requirement:
        """The package, for sources of kind `pypi`."""
        return Requirement(self.package, self.version, self.artifact, self.python, self.platform)

    @property
    def package_key(self) -> tuple[str, ...]:
        """Equal for sources that one fetch serves."""
        return (self.kind, self.package, self.version, self.url, self.artifact, self.python, self.platform)

    @property
    def label(self) -> str:
        """The package and version, or the address without its query, or the file's name."""
        if self.kind == "file":
            return self.files[0].path
        return f"{self.package} {self.version}" if self.package else self.url.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Conversion:
    """How the source files become the ONNX file.

    Attributes:
        converter: name in `weights.convert.CONVERTERS`.
        onnx_size_bytes: of the result.
        masks: for `darknet`: anchors of each yolo layer, in the order of the cfg, where the cfg's own are wrong.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    converter: Text
    onnx_size_bytes: Size
    masks: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How pixels become the model's input: resized, reordered, (x − mean) × scale on 0 to 255, NCHW.

    Attributes:
        size_wh: usual width and height, pixels; (0, 0) where there is no usual one.
        colour: order of the channels the model wants.
        mean: subtracted per channel, in the model's channel order, on 0 to 255.
        scale: multiplied afterwards, per channel.
        multiple_of_px: any width and height that are multiples of this will do; 0: only `size_wh`.
        padding_value: grey level, 0 to 255, that fills what letterboxing or padding leaves free.
        landmarks_template: for aligned faces: where the five landmarks go, pixels of the input, in the
            order eye on the picture's left, eye on its right, nose tip, left and right mouth corner.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    size_wh: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    colour: Colour
    mean: Triple = (0.0, 0.0, 0.0)
    scale: Triple = (1.0, 1.0, 1.0)
    multiple_of_px: Annotated[int, Field(ge=0)] = 0
    padding_value: Annotated[int, Field(ge=0, le=255)] = 0
    landmarks_template: tuple[Point, Point, Point, Point, Point] | None = None


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """An accuracy somebody published, or that we measured, and where to read it."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    figure: Text
    source: Text


@dataclass(frozen=True, slots=True)
class Picture:
    """Whom a photograph shows and why it may be used.

    Attributes:
        person: name of the one person in it.
        credit: photographer or office, date where known.
        occasion: what distinguishes it from the other photographs of the same person.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    person: Text
    credit: Text
    occasion: Text = "portrait"


@dataclass(frozen=True, slots=True)
class Added:
    """What is known of a model that somebody at the site registered, and vouches for.

    Attributes:
        at: when, UTC, RFC 3339.
        by: account on this machine.
        findings: what the self-test found, a sentence each.
        converted_from: file, SHA-256 and program, where the ONNX was made here; else empty.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    at: Text
    by: Text
    findings: Annotated[tuple[Text, ...], Field(min_length=1)]
    converted_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One entry of the catalogue: a model, a program or a picture.

    Attributes:
        id: what users type.
        task: what it is for.
        family: which adapter of `vision` reads its output; the kind of file for programs and pictures.
        version: upstream's, or that of the package which carries it.
        title: one line for people.
        source: where the bytes come from.
        licence: SPDX identifier where there is one.
        licence_note: where the licence is stated, and what it leaves open.
        onnx_sha256: of the converted file; None where the source file is used as it is.
        conversion: None where the source file is used as it is.
        training_data: what is known of it, honestly.
        input: None for programs and pictures.
        output: the contract of the output, in words.
        dimension: length of an embedding; 0 otherwise.
        labels: class names by index; empty where there is one class.
        published: accuracy, each with its source.
        notes: limits and traps.
        alternatives: other models to consider, with their licence.
        default: part of what `pull --default` fetches.
        machine: `system-architecture` the file runs on, such as `linux-x86_64`; empty: any.
        picture: only for pictures.
        added: only for a site's own models, whose accuracy nobody published.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    id: Identifier
    task: Task
    family: Identifier
    version: Text
    title: Text
    source: Source
    licence: Text
    licence_note: str = ""
    onnx_sha256: Sha256 | None = None
    conversion: Conversion | None = None
    training_data: str = ""
    input: InputSpec | None = None
    output: str = ""
    dimension: Annotated[int, Field(ge=0)] = 0
    labels: tuple[str, ...] = ()
    published: tuple[PublishedFigure, ...] = ()
    notes: str = ""
    alternatives: str = ""
    default: bool = False
    machine: Annotated[str, Field(pattern=r"^([a-z]+-\w+)?$")] = ""
    picture: Picture | None = None
    added: Added | None = None

    def __post_init__(self) -> None:
        if (self.conversion is None) != (self.onnx_sha256 is None):
            raise ValueError("`conversion` and `onnx_sha256` go together")
        if self.conversion is None and len(self.source.files) != 1:
            raise ValueError("an entry without a conversion has exactly one file")
        if self.conversion and any(file.no_upstream_hash for file in self.source.files):
            raise ValueError("what is converted needs a known hash: the result's cannot be known otherwise")
        if (self.source.kind == "file") != (self.added is not None):
            raise ValueError("`added` is for sources of kind `file`, and they need it")
        known = self.input and self.output and self.training_data and (self.published or self.added)
        if self.is_model and not known:
            raise ValueError("a model needs `input`, `output`, `training_data` and `published`")
        if (self.task == "embed") != (self.dimension > 0):
            raise ValueError("`dimension` is for embedders, and they need it")
        if (self.task == "pictures") != (self.picture is not None):
            raise ValueError("`picture` is for pictures, and they need it")

    @property
    def is_model(self) -> bool:
        """Whether a runtime loads it; programs and pictures are only pulled and verified alike."""
        return self.task in ("detect", "face", "embed")

    @property
    def no_upstream_hash(self) -> str:
        """Why no hash could be learnt for the file; empty where the catalogue has one."""
        return self.source.files[0].no_upstream_hash

    @property
    def is_pinned(self) -> bool:
        """Whether there is a hash to verify against: the catalogue's, or the operator's own."""
        return bool(self.source_sha256)

    @property
    def source_sha256(self) -> str:
        """SHA-256 of the file with the weights, the first of the source's; empty where it is unpinned."""
        return self.source.files[0].sha256

    @property
    def sha256(self) -> str:
        """SHA-256 of what `WeightStore.read` returns; empty where it is unpinned."""
        return self.onnx_sha256 or self.source_sha256

    @property
    def size_bytes(self) -> int:
        """Size of what `WeightStore.read` returns; 0 where it is not known."""
        return self.conversion.onnx_size_bytes if self.conversion else self.source.files[0].size_bytes

    @property
    def file_suffix(self) -> str:
        """Suffix of the stored file, with its dot; empty for programs without one."""
        return ".onnx" if self.conversion else PurePosixPath(self.source.files[0].path).suffix

    @property
    def runs_here(self) -> bool:
        """Whether this machine is one the file is for."""
        return self.machine in ("", this_machine())


def this_machine() -> str:
    """System and architecture in the form of `ModelSpec.machine`: `linux-x86_64`."""
    return f"{sys.platform}-{platform.machine().lower().replace('amd64', 'x86_64')}"
