"""Live cameras: decoders, matching process and supervisor, and what crosses between them."""
