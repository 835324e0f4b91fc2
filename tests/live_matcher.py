"""The matching process with fake models, as the supervisor starts it in tests; shows its memory to whoever asks.

What ships is `pipelines.live.matcher`; only its models are others here. `AIQYN_TEST_MEMORY` names a socket: whoever
connects gets every readable byte of this process, so that a test can look for templates in it. The template itself
never comes here for that.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pipelines.config import Config
from pipelines.live.matcher import run_matcher
from pipelines.live.observing import Observing
from tests.worker_bench import FakePerception, SlowEmbedder, make_perception

MEMORY_VARIABLE = "AIQYN_TEST_MEMORY"
LOAD_VARIABLE = "AIQYN_TEST_LOAD_SECONDS"
SLOW_VARIABLE = "AIQYN_TEST_SLOW"


def show_memory(path: str, memory: BinaryIO) -> None:
    """Serves this process's memory on a socket; `memory` was opened before dumps were forbidden."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{path}.{os.getpid()}")
        server.listen()
        while True:
            asker, _ = server.accept()
            with asker:
                for start, stop in readable():
                    send_range(asker, memory, start, stop)


def readable() -> list[tuple[int, int]]:
    """Readable mappings that may hold data, shared memory included."""
    found = []
    for line in Path("/proc/self/maps").read_text("ascii", "replace").splitlines():
        span, rights, *rest = line.split()
        name = rest[3] if len(rest) > 3 else ""
        unchanged_file = rights[1] != "w" and name.startswith("/") and not name.startswith("/memfd:")
        if rights[0] == "r" and not name.startswith("[v") and not unchanged_file:
            start, stop = (int(edge, 16) for edge in span.split("-"))
            found.append((start, stop))
    return found


def send_range(asker: socket.socket, memory: BinaryIO, start: int, stop: int) -> None:
    """Sends one mapping; what went away meanwhile is left out."""
    step = 1 << 20
    for place in range(start, stop, step):
        try:
            memory.seek(place)
            asker.sendall(memory.read(min(step, stop - place)))
        except (OSError, ValueError):
            return


def perceive(_: Config, __: Observing) -> FakePerception:
    """The fakes; loaded, and looking, as slowly as the test wants."""
    time.sleep(float(os.environ.get(LOAD_VARIABLE, "0")))
    perception = make_perception()
    if os.environ.get(SLOW_VARIABLE):
        return replace(perception, embedder=SlowEmbedder())
    return perception


def main() -> None:
    """The program."""
    path = os.environ.get(MEMORY_VARIABLE)
    if path is not None:
        memory = Path("/proc/self/mem").open("rb", buffering=0)  # noqa: SIM115 as long as the process
        threading.Thread(target=show_memory, args=(path, memory), daemon=True).start()
    code = run_matcher(sys.argv[1:], perceive)
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
