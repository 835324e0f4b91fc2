"""Faces: detection, alignment, embedding, quality."""
