"""Calibrations that ship: one JSON file per embedder, made by `aiqyn evaluate calibration`."""
