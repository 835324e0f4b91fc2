"""A PEP 517 backend that builds nothing: its wheel is the source tree as it lies.

It runs inside the client's own interpreter, without this project on its path: standard library only.
"""

import os
import zipfile
from pathlib import Path

REQUIREMENT_VARIABLE = "AIQYN_SDIST"
"""Environment variable with `name==version`, set by whoever runs the client."""


def _name_and_version() -> tuple[str, str]:
    name, _, version = os.environ[REQUIREMENT_VARIABLE].partition("==")
    return name.replace("-", "_"), version


def _metadata() -> dict[str, str]:
    name, version = _name_and_version()
    return {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: aiqyn\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }


def get_requires_for_build_wheel(config_settings: object = None) -> list[str]:  # noqa: ARG001 - PEP 517
    """Nothing is needed to build nothing."""
    return []


def prepare_metadata_for_build_wheel(
    metadata_directory: str,
    config_settings: object = None,  # noqa: ARG001 - PEP 517
) -> str:
    """Writes the metadata of the wanted name and version; returns the folder's name."""
    folder = Path(metadata_directory) / "{}-{}.dist-info".format(*_name_and_version())
    folder.mkdir()
    for name, text in _metadata().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder.name


def build_wheel(
    wheel_directory: str,
    config_settings: object = None,  # noqa: ARG001 - PEP 517
    metadata_directory: str | None = None,  # noqa: ARG001 - PEP 517
) -> str:
    """Packs the current folder, the unpacked sdist, into a wheel; returns the wheel's name."""
    stem = "{}-{}".format(*_name_and_version())
    wheel = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        names = [str(path) for path in sorted(Path().rglob("*")) if path.is_file()]
        for name in names:
            archive.write(name)
        for name, text in _metadata().items():
            archive.writestr(f"{stem}.dist-info/{name}", text)
            names.append(f"{stem}.dist-info/{name}")
        record = f"{stem}.dist-info/RECORD"
        archive.writestr(record, "".join(f"{name},,\n" for name in [*names, record]))
    return wheel


class _Legacy:
    """What a client looks for when a package has no `pyproject.toml`."""

    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
    build_wheel = staticmethod(build_wheel)


__legacy__ = _Legacy()
