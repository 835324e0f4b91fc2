"""Tests of `vision.identify`."""
