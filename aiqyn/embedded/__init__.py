"""The embedded stack: what a single machine needs and does not have to install."""
