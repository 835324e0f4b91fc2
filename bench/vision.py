"""`aiqyn bench vision`: what our code adds to the models and the matrix product under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bench import vision_calls, vision_frames, vision_search
from bench.side_by_side import one_core
from bench.vision_calls import ModelCall
from bench.vision_frames import FrameCost
from bench.vision_search import SearchCall
from pipelines.build import PerceptionOptions, build_perception
from weights.store import WeightStore

MODEL_ROUNDS = 15
SEARCH_ROUNDS = 2000


@dataclass(frozen=True, slots=True)
class VisionBench:
    """All of one run, on one core.

    Attributes:
        models: every pulled model.
        searches: by gallery size.
        frame: following fifty faces.
    """

    models: tuple[ModelCall, ...]
    searches: tuple[SearchCall, ...]
    frame: FrameCost

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "models": [{**asdict(call), "figures": call.figures.document()} for call in self.models],
            "searches": [{**asdict(call), "figures": call.figures.document()} for call in self.searches],
            "frame": asdict(self.frame),
        }


def measure(store: WeightStore, told: Callable[[str], None], model_rounds: int = MODEL_ROUNDS) -> VisionBench:
    """Everything, side by side.

    Args:
        store: where the weights lie; models that are not pulled are left out.
        told: what is about to be measured.
        model_rounds: of each side of each model.

    Raises:
        WeightsError: the photographs of the catalogue or the default models are not pulled.
    """
    with one_core():
        told("model calls beside ONNX Runtime's own")
        models = tuple(vision_calls.measure(store, model_rounds, vision_calls.crowd(store)))
        told("gallery search beside the matrix product")
        searches = tuple(vision_search.measure(SEARCH_ROUNDS))
        told("fifty faces followed")
        options = PerceptionOptions(detector=None)
        perception = build_perception(store, options)
        frame = vision_frames.measure(perception.new_face_tracker, options.embedder)
    return VisionBench(models, searches, frame)
