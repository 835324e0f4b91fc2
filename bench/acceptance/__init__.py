"""The acceptance lines of each issue as programs: what was promised, what was measured, whether it holds."""
