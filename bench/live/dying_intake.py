"""The service's intake, killed around an acknowledgement.

Run as `python -m bench.live.dying_intake CONFIG before|after` with the service's credentials in the environment. It ends by SIGKILL;
where there was nothing to take in, with exit code 3.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from api.services import build_services
from api.settings import settings_from
from pipelines.bus import CandidateConsumer
from pipelines.config import load_config

NOTHING_CAME = 3
WAIT_SECONDS = 20.0


def main(config_path: str, moment: str) -> int:
    """Takes one candidate in, and dies before it acknowledges, or right after.

    Before: it is kept, and comes again. After: had it been acknowledged too early, it would be lost.
    """
    CandidateConsumer.ack = _die_instead if moment == "before" else _ack_and_die  # type: ignore[method-assign,assignment]
    settings = settings_from(load_config(Path(config_path)))
    services = build_services(replace(settings, run_background=False))
    if services.bus is None:
        raise RuntimeError("no bus is configured")
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        services.bus.take_in()
    return NOTHING_CAME


_ack = CandidateConsumer.ack


def _die_instead(_: CandidateConsumer, __: Sequence[str]) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _ack_and_die(consumer: CandidateConsumer, entry_ids: Sequence[str]) -> None:
    _ack(consumer, entry_ids)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
