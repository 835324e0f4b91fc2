"""Backups of records and evidence, and what is read back from one. Keys are backed up apart (`keys.py`)."""
