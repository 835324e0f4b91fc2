"""What became of every frame a source gave: one dataclass for event, command line and metrics."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FrameAccounting:
    """Frames counted by what became of them; nothing read is left uncounted.

    The sum that must hold: `read = undecodable + not_sampled + gated + inferred + Σ dropped`.

    Attributes:
        read: frames the source announced or delivered.
        decoded: frames that became pictures; counted apart from the sum.
        undecodable: frames read that could not be decoded.
        not_sampled: decoded frames skipped by the configured inference rate.
        gated: frames skipped because nothing moved.
        inferred: frames the models saw.
        dropped: frames lost for another reason, by reason.
    """

    read: int = 0
    decoded: int = 0
    undecodable: int = 0
    not_sampled: int = 0
    gated: int = 0
    inferred: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = (
            self.read,
            self.decoded,
            self.undecodable,
            self.not_sampled,
            self.gated,
            self.inferred,
            *self.dropped.values(),
        )
        if min(counts) < 0:
            raise ValueError(f"a frame count is negative: {self}")
        if self.unaccounted != 0:
            raise ValueError(f"{self.unaccounted} frames read are not accounted for: {self}")

    @property
    def unaccounted(self) -> int:
        """Frames read that no reason explains; 0 in every instance that could be built."""
        explained = self.undecodable + self.not_sampled + self.gated + self.inferred
        return self.read - explained - sum(self.dropped.values())
