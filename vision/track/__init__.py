"""Trackers: boxes over time. All state lives in the instance."""
