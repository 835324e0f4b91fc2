"""Tests of `pipelines.live`."""
