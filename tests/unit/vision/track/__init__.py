"""Tests of `vision.track`."""
