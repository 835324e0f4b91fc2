"""Measuring models on labelled data, in the field's own figures."""
