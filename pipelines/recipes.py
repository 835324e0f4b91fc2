"""What a template was made with: templates of different makings can be compared and mean nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from pipelines.canonical import canonical_json
from pipelines.events import ModelRef


@dataclass(frozen=True, slots=True)
class TemplateRecipe:
    """An embedder and how faces became its input.

    Attributes:
        embedder_id: in the catalogue.
        embedder_sha256: exactly which file of it.
        preprocessing: the embedder's part of the line candidates carry; empty where it was not said.
    """

    embedder_id: str
    embedder_sha256: str
    preprocessing: str

    @classmethod
    def of(cls, models: Iterable[ModelRef], preprocessing: str) -> Self:
        """The recipe of a process that runs these models.

        Args:
            models: one of them the embedder.
            preprocessing: of all of them, in one line.
        """
        embedder = next(model for model in models if model.role == "embedder")
        return cls(embedder.id, embedder.sha256, embedder_part(preprocessing))

    @property
    def sha256(self) -> str:
        """Names the recipe in records; 64 hexadecimal digits."""
        parts = [self.embedder_id, self.embedder_sha256, self.preprocessing]
        return hashlib.sha256(canonical_json({"recipe": parts})).hexdigest()

    def fits(self, other: TemplateRecipe) -> bool:
        """Whether templates of both may be compared; a preprocessing that was not said is taken on trust."""
        if (self.embedder_id, self.embedder_sha256) != (other.embedder_id, other.embedder_sha256):
            return False
        said = {self.preprocessing, other.preprocessing} - {""}
        return len(said) < 2

    def __str__(self) -> str:
        return f"{self.embedder_id} ({self.embedder_sha256[:12]}…)"


def embedder_part(preprocessing: str) -> str:
    """The part of a line of preprocessing that says how faces became the embedder's input; empty without one."""
    return next((part for part in preprocessing.split() if part.startswith("embedder:")), "")
