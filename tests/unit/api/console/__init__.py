"""Tests of `api/console`."""
