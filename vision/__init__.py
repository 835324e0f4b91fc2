"""Perception: arrays in, typed arrays out. Reads no settings, clock, HTTP, Redis or key; only `video` opens media."""
