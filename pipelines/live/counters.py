"""What became of every frame of one camera, in memory that its processes share and that outlives each of them.

Every frame the decoder reads is counted at once, and by its fate as soon as that is known. A process killed at
any moment leaves frames without a fate; whoever replaces it settles them. Decoder and matcher each write a record
of their own, and a record changes as a whole or not at all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self, TypeAlias

from pipelines.accounting import FrameAccounting
from pipelines.live.memory import SharedMemory, TwinRecord, new_memory


class DropReason(StrEnum):
    """Why a frame is dropped. The list is fixed: each has its place in the memory."""

    OVERTAKEN = "overtaken"
    DECODER_DIED = "decoder_died"
    MATCHER_DIED = "matcher_died"
    MATCHER_AWAY = "matcher_away"
    NOT_CONVERTED = "not_converted"
    TOO_LARGE = "too_large"
    NOT_SEARCHED = "not_searched"
    STOPPED = "stopped"
    INFERENCE_FAILED = "inference_failed"


Drops: TypeAlias = tuple[int, ...]
"""Frames dropped, in the order of `DropReason`."""

NO_DROPS: Drops = (0,) * len(DropReason)
_PLACES = {reason: place for place, reason in enumerate(DropReason)}


def add_drops(drops: Drops, reason: DropReason, frames: int = 1) -> Drops:
    """The same with some more of one reason."""
    place = _PLACES[reason]
    return (*drops[:place], drops[place] + frames, *drops[place + 1 :])


def drops_of(dropped: dict[str, int]) -> Drops:
    """Drops as an accounting has them, in their places.

    Raises:
        ValueError: a reason that is none of `DropReason`.
    """
    known = {DropReason(reason): frames for reason, frames in dropped.items()}
    return tuple(known.get(reason, 0) for reason in DropReason)


@dataclass(frozen=True, slots=True)
class DecoderCounts:
    """The decoder's record. `read` less `settled` less what the ring has published is still in its hands.

    Attributes:
        read: frames the source announced or delivered.
        undecodable: of these, lost to damage.
        not_sampled: passed over by the rate.
        undecoded: of those overtaken, the ones never decoded; apart from the sum.
        dropped: otherwise lost.
    """

    read: int = 0
    undecodable: int = 0
    not_sampled: int = 0
    undecoded: int = 0
    dropped: Drops = NO_DROPS

    @property
    def settled(self) -> int:
        """Frames whose fate is known."""
        return self.undecodable + self.not_sampled + sum(self.dropped)

    def plus_dropped(self, reason: DropReason, frames: int = 1) -> DecoderCounts:
        """With some more dropped."""
        return replace(self, dropped=add_drops(self.dropped, reason, frames))


@dataclass(frozen=True, slots=True)
class SessionCounts:
    """What sessions made of the frames they took, of all matching processes together."""

    inferred: int = 0
    gated: int = 0
    not_sampled: int = 0
    dropped: Drops = NO_DROPS

    @classmethod
    def of(cls, accounting: FrameAccounting) -> SessionCounts:
        """A session's accounting.

        Raises:
            ValueError: a reason that is none of `DropReason`.
        """
        drops = drops_of(accounting.dropped)
        return cls(accounting.inferred, accounting.gated, accounting.not_sampled, drops)

    def __add__(self, other: SessionCounts) -> SessionCounts:
        drops = tuple(mine + theirs for mine, theirs in zip(self.dropped, other.dropped, strict=True))
        return SessionCounts(
            self.inferred + other.inferred,
            self.gated + other.gated,
            self.not_sampled + other.not_sampled,
            drops,
        )

    @property
    def settled(self) -> int:
        """Frames whose fate is known."""
        return self.inferred + self.gated + self.not_sampled + sum(self.dropped)


@dataclass(frozen=True, slots=True)
class MatcherCounts:
    """The matcher's record. `taken` less `session.settled` is still in its hands.

    Attributes:
        position: number of the last frame of the ring that was taken or passed over.
        images: of the frames up to there, those with pixels.
        taken: frames taken.
        gated: frames passed over in which nothing moved.
        dropped: frames with pixels passed over.
        session: what became of those taken.
    """

    position: int = 0
    images: int = 0
    taken: int = 0
    gated: int = 0
    dropped: Drops = NO_DROPS
    session: SessionCounts = SessionCounts()

    def passed(self, to: int, images: int, reason: DropReason) -> MatcherCounts:
        """With everything up to a frame of the ring passed over.

        Args:
            to: number of that frame.
            images: frames with pixels up to and with it.
            reason: why they were.

        Raises:
            ValueError: the numbers fall behind those of before.
        """
        overtaken = images - self.images
        still = to - self.position - overtaken
        if overtaken < 0 or still < 0:
            raise ValueError(f"a ring at frame {to} with {images} pictures cannot follow {self}")
        dropped = add_drops(self.dropped, reason, overtaken)
        return replace(self, position=to, images=images, gated=self.gated + still, dropped=dropped)


_REASONS = len(DropReason)
_DECODER = struct.Struct(f"{4 + _REASONS}Q")
_MATCHER = struct.Struct(f"{7 + 2 * _REASONS}Q")
_MATCHER_AT = 2048
_SIZE_BYTES = 4096


class SharedCounters:
    """Both records of one camera.

    Args:
        descriptor: of `SharedCounters.new_memory()`; stays the caller's.
    """

    def __init__(self, descriptor: int) -> None:
        self._memory = SharedMemory(descriptor, _SIZE_BYTES)
        self._decoder = TwinRecord(self._memory, 0, _DECODER)
        self._matcher = TwinRecord(self._memory, _MATCHER_AT, _MATCHER)

    @staticmethod
    def new_memory() -> int:
        """A descriptor of memory for one camera's counters, all zero."""
        return new_memory("aiqyn-counters", _SIZE_BYTES)

    @classmethod
    def attach(cls, descriptor: int) -> Self:
        """The counters behind a descriptor."""
        return cls(descriptor)

    def close(self) -> None:
        """Unmaps them."""
        self._memory.close()

    @property
    def decoder(self) -> DecoderCounts:
        """As of now."""
        read, undecodable, not_sampled, undecoded, *dropped = self._decoder.load()
        return DecoderCounts(read, undecodable, not_sampled, undecoded, tuple(dropped))

    @decoder.setter
    def decoder(self, counts: DecoderCounts) -> None:
        self._decoder.store(
            counts.read, counts.undecodable, counts.not_sampled, counts.undecoded, *counts.dropped
        )

    @property
    def matcher(self) -> MatcherCounts:
        """As of now."""
        values = self._matcher.load()
        position, images, taken, gated, *dropped = values[: 4 + _REASONS]
        inferred, held, not_sampled, *failed = values[4 + _REASONS :]
        session = SessionCounts(inferred, held, not_sampled, tuple(failed))
        return MatcherCounts(position, images, taken, gated, tuple(dropped), session)

    @matcher.setter
    def matcher(self, counts: MatcherCounts) -> None:
        session = counts.session
        self._matcher.store(
            counts.position,
            counts.images,
            counts.taken,
            counts.gated,
            *counts.dropped,
            session.inferred,
            session.gated,
            session.not_sampled,
            *session.dropped,
        )

    def accounting(self) -> FrameAccounting:
        """Every frame whose fate is known; what is under way is counted once it has one."""
        matcher = self.matcher
        return account(self.decoder, matcher, matcher.session)

    def settle_decoder(self, published: int) -> int:
        """Counts what a decoder that is dead, and not replaced yet, had in its hands.

        Args:
            published: frames the ring has published: `FrameRing.published`.

        Returns:
            How many frames that were.
        """
        counts = self.decoder
        lost = max(0, counts.read - counts.settled - published)
        self.decoder = counts.plus_dropped(DropReason.DECODER_DIED, lost)
        return lost

    def settle_matcher(self) -> int:
        """Counts what a matching process that is dead, and not replaced yet, had taken and not told the fate of.

        Returns:
            How many frames that were.
        """
        counts = self.matcher
        lost = max(0, counts.taken - counts.session.settled)
        died = SessionCounts(dropped=add_drops(NO_DROPS, DropReason.MATCHER_DIED, lost))
        self.matcher = replace(counts, session=counts.session + died)
        return lost

    def settle_ring(self, published: int, images: int, reason: DropReason) -> int:
        """Counts what the ring holds and nobody will take any more; for when no matching process is there.

        Args:
            published, images: `FrameRing.newest()`.
            reason: what becomes of those with pixels; the others are gated.

        Returns:
            How many frames that were.
        """
        counts = self.matcher
        self.matcher = counts.passed(published, images, reason)
        return published - counts.position


def account(decoder: DecoderCounts, matcher: MatcherCounts, session: SessionCounts) -> FrameAccounting:
    """The records as one accounting, of the frames with a fate: its sum holds by construction.

    Args:
        decoder: of the same moment or later, as
        matcher: is.
        session: fates of taken frames that are to be in it.
    """
    drops = tuple(map(sum, zip(decoder.dropped, matcher.dropped, session.dropped, strict=True)))
    read = decoder.settled + matcher.gated + sum(matcher.dropped) + session.settled
    return FrameAccounting(
        read=read,
        decoded=max(0, read - decoder.undecodable - decoder.undecoded),
        undecodable=decoder.undecodable,
        not_sampled=decoder.not_sampled + session.not_sampled,
        gated=matcher.gated + session.gated,
        inferred=session.inferred,
        dropped={reason.value: frames for reason, frames in zip(DropReason, drops, strict=True) if frames},
    )
