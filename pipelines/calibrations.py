"""Calibrations as data: the shipped one of each embedder, or a site's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pipelines.errors import ConfigError
from vision.identify.calibration import Calibration, FalseMatchTable

_SHIPPED = "lfw2-cross-identity-pairs"

TABLES: Mapping[str, FalseMatchTable] = MappingProxyType(
    {
        "mobilefacenet-faceplugin": FalseMatchTable(
            pairs=1_250_180,
            beyond=(
                (125_018, 0.1306),
                (37_505, 0.1942),
                (12_502, 0.2453),
                (3_751, 0.2960),
                (1_250, 0.3379),
                (375, 0.3800),
                (125, 0.4111),
                (38, 0.4445),
                (13, 0.4732),
                (10, 0.4781),
            ),
        ),
        # dlib's vectors all point much the same way: strangers average 0.83. Most of its nearest pairs of
        # strangers are two people from East Asia: one threshold is not one rate for everybody.
        "dlib-resnet": FalseMatchTable(
            pairs=1_250_180,
            beyond=(
                (125_018, 0.8832),
                (37_505, 0.8998),
                (12_502, 0.9109),
                (3_751, 0.9210),
                (1_250, 0.9287),
                (375, 0.9363),
                (125, 0.9422),
                (38, 0.9482),
                (13, 0.9531),
                (10, 0.9536),
            ),
        ),
    }
)


def load_calibration(embedder_id: str, path: Path | None = None) -> Calibration:
    """The calibration of an embedder.

    Args:
        embedder_id: in the catalogue.
        path: a site's own file; None for the shipped one.

    Raises:
        ConfigError: there is none for this embedder.
    """
    table = TABLES.get(embedder_id)
    if table is None or path is not None:
        known = ", ".join(sorted(TABLES)) or "none"
        raise ConfigError(
            f"no false match rates were measured for embedder {embedder_id!r} (measured: {known}); "
            "without them no threshold can be given"
        )
    return Calibration(_SHIPPED, embedder_id, table)
