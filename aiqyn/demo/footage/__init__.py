"""Sample footage, rendered at set-up: people cut out of named photographs walk through a drawn hall.

`render` is the way in. What is in the clip, who is on its list and where the photographs come from is said
in `docs/demo-footage.md`; nobody depicted is missing.
"""

from aiqyn.demo.footage.render import render
from aiqyn.demo.footage.truth import ControlSample, Footage, GroundTruth

__all__ = ["ControlSample", "Footage", "GroundTruth", "render"]
