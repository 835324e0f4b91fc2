"""The converted models against their published originals and against dlib, on real photographs."""
