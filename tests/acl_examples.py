"""The examples in `deploy/redis`: ACL files for each kind of server, with a place in each for the password's hash.

python -m tests.acl_examples        writes them anew
"""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.acl import WorkerAccount, make_acl_file

FOLDER = Path(__file__).parents[1] / "deploy" / "redis"
NAMES = {"users-6.2.acl.example": (6, 2), "users-7.acl.example": (7, 0)}


def example(version: tuple[int, ...]) -> str:
    """The text of one example."""
    made = make_acl_file(
        version, workers=[WorkerAccount("worker-1", ("gate",))], integrators=["control-room"]
    )
    return re.sub(r"#[0-9a-f]{64}", "#SHA-256-OF-THE-PASSWORD", made.text)


def main() -> None:
    """Writes the examples."""
    for name, version in NAMES.items():
        (FOLDER / name).write_text(example(version), "utf-8")


if __name__ == "__main__":
    main()
