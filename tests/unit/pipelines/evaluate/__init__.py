"""Tests of `pipelines.evaluate`."""
