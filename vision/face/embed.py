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
        mirrored: averages in the mirrored face: twice the time, a few errors fewer. On two folds of LFW
            (1,200 pairs) MobileFaceNet goes from 99.25 to 99.33 %, dlib's network from 98.75 to 99.25 %
            and from 92.0 to 94.2 % true accepts at 0.1 % false matches. Two more scales of the face, at
            six times the time, bring nothing beyond it.
        batch_size: faces in one call of the model.
    """

    mirrored: bool = True
    batch_size: int = 16


class FaceEmbedder:
    """An `Embedder` over an aligned chip: what sets models apart is their input and their template.

    Attributes:
        dimension: length of an embedding.
        fixed_batch: faces in every call, where the model takes no other number; None where it takes any. With
            one face a call, many faces take as many calls.
        providers: of ONNX Runtime, really in use.
    """

    def __init__(
        self,
        session: InferenceSession,
        model_input: ModelInput,
        template: Template,
        options: EmbedderOptions | None = None,
    ) -> None:
        """Takes a loaded model.

        Args:
            session: one input (N, 3, S, S) float32, one output (N, D) or (N, D, 1, 1). N may be fixed: a model
                of one face a call is run face by face. D may be undeclared: it is then found by one run.
            model_input: its `size_wh` is S, S.
            template: where the landmarks go.
            options: None for the defaults.

        Raises:
            ModelError: a model or template of another shape.
        """
        width, height = model_input.size_wh
        if width != height or len(template) != 5:
            raise ModelError(
                f"an embedder needs square chips and 5 points, got {width}×{height}, {len(template)}"
            )
        _check_shapes(session, height)
        self.fixed_batch: int | None = session.inputs[0].shape[0]
        self.providers = session.providers
        self._session = session
        self._model_input = model_input
        self._template = template
        self._options = options or EmbedderOptions()
        self.dimension: int = session.outputs[0].shape[1] or self._found_dimension()

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
        rows = to_tensor(chips, self._model_input)
        batch_size = self.fixed_batch or self._options.batch_size
        if self.fixed_batch:
            # Only whole batches go in; what fills the last one up is cut off again.
            rows = np.concatenate([rows, np.zeros((-len(rows) % batch_size, *rows.shape[1:]), rows.dtype)])
        found = self._session.run_batches(rows, batch_size)[0]
        if len(found) != len(rows) or found.size != len(rows) * self.dimension:
            raise ModelError(
                f"the embedder gave {found.shape} for {len(rows)} faces, {(len(rows), self.dimension)} expected; "
                "it may have been exported for one face a call"
            )
        return np.asarray(found.reshape(len(rows), self.dimension)[: len(chips)], dtype=np.float32)

    def _found_dimension(self) -> int:
        """Of a model that does not declare it."""
        info = self._session.inputs[0]
        side = self._model_input.size_wh[0]
        blank = np.zeros((self.fixed_batch or 1, 3, side, side), info.dtype)
        found = self._session.run({info.name: blank})[0]
        if found.size % len(blank) or not found.size:
            raise ModelError(f"not an embedder: it gives {found.shape} for {len(blank)} faces")
        return int(found.size // len(blank))


def _check_shapes(session: InferenceSession, size_px: int) -> None:
    """Raises ModelError unless the model takes square pictures of that side and gives a row for each."""
    wanted = f"(N, 3, {size_px}, {size_px}) float32 in, (N, D) or (N, D, 1, 1) out"
    shapes = [info.shape for info in (*session.inputs, *session.outputs)]
    if len(shapes) != 2:
        raise ModelError(
            f"not an embedder: {len(session.inputs)} inputs and {len(session.outputs)} outputs, one of each expected"
        )
    given, found = shapes
    sides = (3, size_px, size_px)
    fits = len(given) == 4 and all(got in (want, None) for want, got in zip(sides, given[1:], strict=True))
    rows = len(found) == 2 or (len(found) == 4 and all(side in (1, None) for side in found[2:]))
    if not fits or not rows or session.inputs[0].dtype != np.float32:
        raise ModelError(
            f"not an embedder of {size_px}×{size_px} faces: {given} {session.inputs[0].dtype} in, {found} out; "
            f"{wanted} expected"
        )


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
