"""Tests of `pipelines.evaluate.report`."""
