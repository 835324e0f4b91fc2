"""Models as data: a catalogue, a verified cache, and conversions to ONNX."""
