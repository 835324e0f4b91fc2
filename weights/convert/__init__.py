"""Upstream weight files turned into ONNX, one file per format."""
