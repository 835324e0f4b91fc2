"""The front door: command line, embedded stack, demo."""
