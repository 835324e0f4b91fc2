"""Object detectors, one file per output family: pre, forward, post."""
