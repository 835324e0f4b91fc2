"""Tests of the key store."""
