"""System tests of this room."""
