"""Embeddings of faces: align, run, bring to unit length. One class for every model of that kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.errors import ImageError, ModelError
from vision.face.align import align
from vision.images import to_tensor
from vision.runtime import InferenceSession
from vision.types import Float32, Image, ModelInput

Template = tuple[tuple[float, float], ...]
"""Five points in pixels of the model's input, in the order of `Faces.landmarks`."""


@dataclass(frozen=True, slots=True)
class EmbedderOptions:
    """How faces are embedded.

    Attributes:
        mirrored: averages in the mirrored face: twice the time, a little fewer errors. Templates made
            with and without it can be compared.
        batch_size: faces in one call of the model.
    """

    mirrored: bool = False
    batch_size: int = 16


class FaceEmbedder:
    """An `Embedder` over an aligned chip: what sets models apart is their input and their template."""

    def __init__(
        self,
        session: InferenceSession,
        model_input: ModelInput,
        template: Template,
        options: EmbedderOptions | None = None,
    ) -> None:
        """Takes a loaded model.

        Args:
            session: one input (N, 3, S, S), one output (N, D).
            model_input: its `size_wh` is S, S.
            template: where the landmarks go.
            options: None for the defaults.

        Raises:
            ModelError: a model or template of another shape.
        """
        width, height = model_input.size_wh
        shapes = [info.shape for info in (*session.inputs, *session.outputs)]
        if len(shapes) != 2 or shapes[0][1:] != (3, height, width) or len(shapes[1]) != 2 or not shapes[1][1]:
            raise ModelError(
                f"not an embedder of {width}×{height} faces: its inputs and outputs are {shapes}"
            )
        if width != height or len(template) != 5:
            raise ModelError(
                f"an embedder needs square chips and 5 points, got {width}×{height}, {len(template)}"
            )
        self.dimension: int = shapes[1][1]
        self.providers = session.providers
        self._session = session
        self._model_input = model_input
        self._template = template
        self._options = options or EmbedderOptions()

    def embed(self, image: Image, landmarks: Float32) -> Float32:
        """One embedding per face; see `Embedder.embed`."""
        return self.embed_chips(align(image, landmarks, self._template, self._model_input.size_wh[0]))

    def embed_chips(self, chips: Image) -> Float32:
        """One embedding per aligned chip.

        Args:
            chips: (N, S, S, 3) uint8 BGR.

        Returns:
            (N, D) float32, rows of unit length.

        Raises:
            ImageError: chips of another shape or type.
            ModelError: the model failed, or gave what is not finite or has no direction.
        """
        size_px = self._model_input.size_wh[0]
        if chips.ndim != 4 or chips.shape[1:] != (size_px, size_px, 3) or chips.dtype != np.uint8:
            raise ImageError(
                f"chips must be (N, {size_px}, {size_px}, 3) uint8, got {chips.shape} {chips.dtype}"
            )
        if not len(chips):
            return np.empty((0, self.dimension), dtype=np.float32)
        total = self._run(chips)
        if self._options.mirrored:
            total = total + self._run(chips[:, :, ::-1])
        return unit_rows(total)

    def _run(self, chips: Image) -> Float32:
        outputs = self._session.run_batches(to_tensor(chips, self._model_input), self._options.batch_size)
        return np.asarray(outputs[0], dtype=np.float32)


def unit_rows(rows: Float32) -> Float32:
    """The rows brought to unit length.

    Args:
        rows: (N, D).

    Raises:
        ModelError: a row that is not finite or has no length.
    """
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ModelError("the embedder gave a vector that is not finite or has no length")
    return np.asarray(rows / lengths, dtype=np.float32)
