"""A supervisor as a process of its own, with the matching process of the tests: to be killed."""

from __future__ import annotations

import json
import os
import sys

from pipelines.config import Config
from pipelines.live.children import Program
from pipelines.live.supervisor import Supervisor
from pipelines.live.supervisor_options import SupervisorOptions
from pipelines.live.supervisor_signals import ended_by_signals


def main() -> None:
    """The program; what it is to do comes on its standard input."""
    told = json.load(sys.stdin)
    matcher = Program((sys.executable, "-m", "tests.live_matcher"), dict(os.environ))
    supervisor = Supervisor(
        Config.model_validate(told["config"]), SupervisorOptions(lambda: told["redis"], matcher=matcher)
    )
    with ended_by_signals(supervisor):
        supervisor.run()


if __name__ == "__main__":
    main()
