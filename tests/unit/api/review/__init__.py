"""Tests of api.review."""
