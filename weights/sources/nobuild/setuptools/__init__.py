"""Stands in for the real one while an sdist is fetched; see the folder above."""
