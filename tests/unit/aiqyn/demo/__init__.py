"""Tests of `aiqyn.demo`."""
