"""System tests of the benches."""
