"""Whether a camera still sees: pictures that are the same to the last bit come from no sensor.

A sensor has noise, so two pictures of the stillest room differ somewhere. A camera whose sensor or encoder hangs
repeats the last one, with time stamps that go on, and looks alive to everything else. An encoder may leave a still
picture untouched until its next key frame, too: take a time longer than from key frame to key frame for frozen.
"""

from __future__ import annotations

import numpy as np

from vision.luma import Grey


class FrozenWatch:
    """Says for how long the pictures of one source have been the same."""

    def __init__(self) -> None:
        """Before the first picture."""
        self._grey: Grey | None = None
        self._since_pts_seconds = 0.0

    def see(self, grey: Grey, pts_seconds: float) -> float:
        """Looks at the next picture.

        Args:
            grey: (H, W) uint8; small, but always of the same making.
            pts_seconds: its time on the source's clock.

        Returns:
            Seconds since the first picture that was the same as this one; 0 for one that is new.
        """
        if self._grey is not None and np.array_equal(self._grey, grey):
            return max(0.0, pts_seconds - self._since_pts_seconds)
        self._grey = grey.copy()
        self._since_pts_seconds = pts_seconds
        return 0.0

    def forget(self) -> None:
        """Begins anew, as after a new connection."""
        self._grey = None
