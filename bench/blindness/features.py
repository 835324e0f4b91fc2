"""Everything a client gets of a review, as numbers a classifier can read."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from bench.blindness.client import Answered
from bench.blindness.play import Watched

Float64 = npt.NDArray[np.float64]
ASKED: Final = ("review", "frame", "probe", "reference", "clip", "review again", "frame again")
UNSTEADY: Final = {"date", "content-length"}
"""Headers whose values differ by what they are: their presence and order count all the same."""

FRAME_SECONDS: Final = 0.04
LOOK_SECONDS: Final = 0.2
MISSING: Final = -1.0
MOST_LINES: Final = 40
_DIGITS: Final = re.compile(rb"\d")


class Codes:
    """Numbers for words: how often each was seen, and which it was."""

    def __init__(self, words: Sequence[str]) -> None:
        self._order = {word: number for number, word in enumerate(dict.fromkeys(words))}
        self._count = {word: words.count(word) / len(words) for word in self._order}

    def of(self, word: str) -> tuple[float, float]:
        """How usual it is, and its number."""
        return self._count[word], float(self._order[word])


def matrix(watched: Sequence[Watched]) -> tuple[Float64, tuple[str, ...]]:
    """One row a review, one column a feature, and the names of the columns.

    Nothing is left out because it ought to tell nothing: that is what is tested.
    """
    numbers = [_numbers(one, watched) for one in watched]
    words = [_words(one) for one in watched]
    names = tuple(numbers[0])
    columns = [np.array([[row[name] for name in names] for row in numbers])]
    labels = list(names)
    for name in words[0]:
        codes = Codes([row[name] for row in words])
        columns.append(np.array([codes.of(row[name]) for row in words]))
        labels += [f"{name} (usual)", f"{name} (which)"]
    for asked in ASKED:
        lines, told = _header_lines([one.opened.get(asked) for one in watched])
        columns.append(lines)
        labels += [f"{asked}: {line}" for line in told]
    return np.hstack(columns), tuple(labels)


def _header_lines(got: Sequence[Answered | None]) -> tuple[Float64, list[str]]:
    """For each header line that some responses have and others have not: which have it."""
    lines = [
        set() if one is None else {f"{name}: {value}" for name, value in one.headers if name not in UNSTEADY}
        for one in got
    ]
    count = Counter(line for found in lines for line in found)
    told = [line for line, times in count.most_common() if 1 < times < len(lines)][:MOST_LINES]
    return np.array([[float(line in found) for line in told] for found in lines]), told


def _numbers(seen: Watched, all_seen: Sequence[Watched]) -> dict[str, float]:
    found = {
        "list: seconds from queued_at": seen.listed_at - _seconds(seen.listed["queued_at"]),
        "list: position": float(seen.position),
        "list: length": float(seen.length),
        "list: from the end": float(seen.length - seen.position),
        "list: bytes": float(len(seen.listing.body)),
        "list: seconds": seen.listing.seconds,
        "list: changes": float(seen.changes),
        **_review(seen.listed),
        **_beside(seen, all_seen),
    }
    for asked in ASKED:
        found |= _response(asked, seen.opened.get(asked))
    for asked in ("frame", "probe", "reference"):
        found |= _picture(asked, seen.opened.get(asked))
    return found


def _review(review: Mapping[str, Any]) -> dict[str, float]:
    pts, counts = float(review["pts_seconds"]), review["frame_accounting"]
    left, top, right, bottom = review["frame"]["face_xyxy"]
    observed = _seconds(review["observed_at"])
    clip = review["clip"]
    looked_at = max(1, counts["inferred"] + counts["gated"])
    return {
        "review: latency": _seconds(review["queued_at"]) - observed,
        "review: observed minus pts": observed - pts,
        "review: part of a second observed": observed % 1,
        "review: off the grid of looks": _off(pts, LOOK_SECONDS),
        "review: off the grid of frames": _off(pts, FRAME_SECONDS),
        "review: digits of pts": float(len(repr(review["pts_seconds"]))),
        "review: digits of the box": float(sum(len(repr(one)) for one in review["frame"]["face_xyxy"])),
        "review: box": right - left,
        "review: box left": left,
        "review: box top": top,
        "review: box shape": (bottom - top) / (right - left),
        "review: size beside box": review["probe"]["face_size_px"] - ((right - left) * (bottom - top)) ** 0.5,
        "review: frames beside pts": counts["read"] - pts / FRAME_SECONDS,
        "review: frames not sampled": counts["not_sampled"] / counts["read"],
        "review: frames a look": counts["read"] / looked_at,
        "review: gated": counts["gated"] / looked_at,
        "review: decoded": float(counts["decoded"] - counts["read"]),
        "review: sum": float(counts["read"] - counts["not_sampled"] - looked_at),
        "review: clip": float(clip is not None),
        "review: clip before": pts - clip["began_pts_seconds"] if clip else MISSING,
        "review: clip seconds": clip["duration_seconds"] if clip else MISSING,
        "review: references": float(len(review["references"])),
        "review: bytes": float(len(json.dumps(review))),
        "review: digits in ids": _share_of_digits(review["review_id"]),
        "review: first letter of id": float(ord(review["review_id"][4])),
        "review: digits in the frame's id": _share_of_digits(review["frame"]["evidence_id"]),
    }


def _beside(seen: Watched, all_seen: Sequence[Watched]) -> dict[str, float]:
    """How it stands to the reviews around it."""
    own = seen.listed
    others = [one.listed for one in all_seen if one is not seen]
    pts = np.array([one["pts_seconds"] for one in others])
    latency = np.array([_seconds(one["queued_at"]) - _seconds(one["observed_at"]) for one in others])
    read = np.array([one["frame_accounting"]["read"] for one in others])
    before = seen.before
    return {
        "beside: nearest pts": float(np.abs(pts - own["pts_seconds"]).min()),
        "beside: nearest latency": float(
            np.abs(latency - _seconds(own["queued_at"]) + _seconds(own["observed_at"])).min()
        ),
        "beside: nearest count": float(np.abs(read - own["frame_accounting"]["read"]).min()),
        "beside: pts since the one above": own["pts_seconds"] - before["pts_seconds"] if before else 0.0,
        "beside: queued since the one above": (
            _seconds(own["queued_at"]) - _seconds(before["queued_at"]) if before else 0.0
        ),
        "beside: seconds since one was seen": _gap(seen, all_seen),
    }


def _gap(seen: Watched, all_seen: Sequence[Watched]) -> float:
    earlier = [one.listed_at for one in all_seen if one.listed_at < seen.listed_at]
    return seen.listed_at - max(earlier) if earlier else MISSING


def _response(asked: str, got: Answered | None) -> dict[str, float]:
    if got is None:
        return {f"{asked}: {name}": MISSING for name in ("seconds", "bytes", "status", "blanks", "digits")}
    blanks = len(got.body) - len(got.body.rstrip())
    return {
        f"{asked}: seconds": got.seconds,
        f"{asked}: bytes": float(len(got.body)),
        f"{asked}: status": float(got.status),
        f"{asked}: blanks": float(blanks),
        f"{asked}: digits": float(len(_DIGITS.findall(got.body[:400]))),
    }


def _picture(asked: str, got: Answered | None) -> dict[str, float]:
    names = ("width", "height", "mean", "deviation", "sharpness", "bits a pixel")
    image = None if got is None else cv2.imdecode(np.frombuffer(got.body, np.uint8), cv2.IMREAD_COLOR)
    if image is None or got is None:
        return {f"{asked}: {name}": MISSING for name in names}
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    height, width = grey.shape
    values = (
        float(width),
        float(height),
        float(grey.mean()),
        float(grey.std()),
        float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        len(got.body) * 8 / grey.size,
    )
    return {f"{asked}: {name}": value for name, value in zip(names, values, strict=True)}


def _words(seen: Watched) -> dict[str, str]:
    found = {"list: headers": _headers(seen.listing), "review: fields": _fields(seen.listed)}
    for asked in ASKED:
        got = seen.opened.get(asked)
        found[f"{asked}: headers"] = "" if got is None else _headers(got)
        found[f"{asked}: values"] = "" if got is None else _values(got)
        found[f"{asked}: form"] = "" if got is None else _form(got)
    return found


def _headers(got: Answered) -> str:
    return ",".join(name for name, _ in got.headers)


def _values(got: Answered) -> str:
    return ",".join(value for name, value in got.headers if name not in UNSTEADY)


def _is_json(got: Answered) -> bool:
    return any(name == "content-type" and "json" in value for name, value in got.headers)


def _form(got: Answered) -> str:
    """The names of a document's fields in order, or how a JPEG was made: tables, sampling and segments."""
    if _is_json(got):
        return _fields(json.loads(got.body))
    if got.body[:2] != b"\xff\xd8":
        return "other"
    return hashlib.sha256(_segments(got.body)).hexdigest()


def _segments(jpeg: bytes) -> bytes:
    """All before the picture's own data; of the frame header without the size, which is a number of its own."""
    found, at = b"", 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != 0xDA:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        body = jpeg[at + 4 : at + 2 + length]
        found += bytes([marker]) + (body[5:] if 0xC0 <= marker <= 0xC2 else body)
        at += 2 + length
    return found


def _fields(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{_fields(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({_fields(item) for item in value})) + "]"
    return type(value).__name__


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _off(value: float, grid: float) -> float:
    return abs(value / grid - round(value / grid))


def _share_of_digits(text: str) -> float:
    return sum(one.isdigit() for one in text) / len(text)
