"""Who may do what in Redis: the users of an ACL file, made from one list of rules.

Redis 7 and Valkey give each user several selectors, so that a command is allowed on some keys only. Redis 6.2
has neither these nor keys that may only be read; there every command of a user counts for every key of that user. So
on 6.2 what would be harmful in combination goes to users of its own (`worker:<id>:jobs`, `…:previews`), and the
rest is chosen so that no combination writes another's data: XADD and HSET never replace a value of another
type, and the streams exist from the start (`pipelines.streams.ensure_streams`). Where a worker could make a
value that is not there yet (its own cameras' overlays, the cameras it is given; on 6.2 alone), it is of a type their reader refuses and
the service's SET replaces.

What no rule of Redis can forbid: XADD takes MAXLEN and explicit ids, so who holds a worker's password can drop
entries nobody has read yet, or use up a stream's ids. That loses candidates, and makes none.

Nobody can be the user `default`: it is off and has no password. It may write all the same, because a server that
reads its log at start does so in that user's name, and leaves out, without a word to anyone, each transaction the user
may not run (seen on Redis 7.0.15 and Valkey 8.1.8, not on Redis 6.2.14 and Valkey 9.1.2; redis issue 14541, valkey
issue 3983). What XREADGROUP and XAUTOCLAIM change is logged as a transaction, too.

Rules keep honest programs apart; what a consumer believes is decided by signatures.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines import streams
from pipelines.errors import SealingError
from pipelines.worker_keys import checked_account_name

API_USER = "api"
SELECTORS_SINCE = (7, 0)
"""First version of Redis (and of Valkey, which began at 7.2) with selectors and `%R~`."""

_ALWAYS = "ping"
_RELOADED = "xadd xack xclaim xdel xtrim xgroup|create xgroup|destroy xgroup|setid xgroup|createconsumer set del unlink hset hdel"
"""What the server's own log holds of what the users below did."""

_STREAMS = (streams.CANDIDATES, streams.TRAFFIC, streams.JOBS, streams.CONFIRMED, streams.DEAD)


@dataclass(frozen=True, slots=True)
class Grant:
    """Commands allowed on some keys.

    Attributes:
        commands: names as ACL rules give them, subcommands after `|`.
        keys: patterns of the keys they may name; none for commands without keys.
        access: `r` where the keys may only be read, else `rw`.
        channels: patterns of channels.
    """

    commands: tuple[str, ...]
    keys: tuple[str, ...] = ()
    access: str = "rw"
    channels: tuple[str, ...] = ()

    def rule(self, *, selectors: bool) -> str:
        """The grant as ACL rules; keys with their direction where the server knows it."""
        mark = "%R~" if selectors and self.access == "r" else "~"
        parts = [f"+{name}" for name in self.commands]
        parts += [f"{mark}{key}" for key in self.keys]
        parts += [f"&{channel}" for channel in self.channels]
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class User:
    """A Redis user.

    Attributes:
        name: as in AUTH.
        grants: the first is the user's own, the others become selectors or, on 6.2, are merged into it.
    """

    name: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class WorkerAccount:
    """A worker and the cameras whose state and previews it writes.

    Beside those named, every camera whose id begins with the worker's own and a colon: `worker-1:hall`. Such a one
    can be given to the worker (`pipelines.given_cameras`) without another ACL file.
    """

    worker_id: str
    camera_ids: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        """Its Redis user."""
        return worker_user(self.worker_id)


@dataclass(frozen=True, slots=True, repr=False)
class AclFile:
    """The text of an ACL file and the passwords it was made with; `repr` shows neither.

    Attributes:
        text: for the server; holds SHA-256 hashes only.
        passwords: by user name, in clear.
    """

    text: str
    passwords: Mapping[str, str]

    def __repr__(self) -> str:
        return f"AclFile(users={sorted(self.passwords)})"


def worker_user(worker_id: str) -> str:
    """The Redis user of a worker."""
    return f"worker:{checked_account_name(worker_id, 'worker')}"


def preview_user(worker_id: str) -> str:
    """Who writes a worker's previews on Redis 6.2, with the worker's password; on 7 the worker itself does."""
    return f"{worker_user(worker_id)}:previews"


def integrator_user(integrator_id: str) -> str:
    """The Redis user of an integrator."""
    return f"integrator:{checked_account_name(integrator_id, 'integrator')}"


def account_of(user: str) -> str:
    """Whose password a user has: `worker:<id>:jobs` shares that of `worker:<id>`."""
    return ":".join(user.split(":")[:2])


def make_acl_file(
    version: tuple[int, ...],
    *,
    workers: Iterable[WorkerAccount] = (),
    integrators: Iterable[str] = (),
    passwords: Mapping[str, str] | None = None,
) -> AclFile:
    """The ACL file for a server of that version.

    Args:
        version: of the server, as `(6, 2, 14)`.
        workers: one user each (on 6.2: three).
        integrators: ids, one user each.
        passwords: those to keep, by `account_of` the user; the others are made, 256 random bits each.

    Raises:
        SealingError: an id that is not fit for a Redis user.
    """
    selectors = version[:2] >= SELECTORS_SINCE
    users = [api_account()]
    for worker in workers:
        users += worker_accounts(worker, selectors=selectors)
    users += [integrator_account(integrator_id) for integrator_id in integrators]
    kept = passwords or {}
    made = {account: secrets.token_urlsafe(32) for account in {account_of(user.name) for user in users}}
    chosen = {user.name: (made | dict(kept))[account_of(user.name)] for user in users}
    reloaded = " ".join(f"+{command}" for command in _RELOADED.split())
    lines = [f"user default off resetpass sanitize-payload resetchannels -@all {reloaded} ~{streams.PREFIX}*"]
    lines += [_line(user, chosen[user.name], selectors=selectors) for user in users]
    return AclFile("\n".join(lines) + "\n", chosen)


def api_account() -> User:
    """The service: reads candidates, writes what is confirmed, hands out galleries and jobs."""
    return User(
        API_USER,
        (
            Grant((_ALWAYS, "time", "multi", "exec", "discard")),
            Grant(
                ("xreadgroup", "xack", "xautoclaim", "xpending", "xgroup|create", "xgroup|destroy"),
                _STREAMS,
            ),
            # To the candidates too: what was put aside and verifies after all goes back (`aiqyn dead retry`).
            Grant(("xadd",), (streams.CANDIDATES, streams.CONFIRMED, streams.JOBS, streams.DEAD)),
            Grant(("xtrim", "xlen", "xrange", "xrevrange", "xinfo|groups"), _STREAMS),
            Grant(("xdel",), (streams.DEAD,)),
            Grant(
                ("set", "del", "hset", "hdel"),
                (f"{streams.GALLERY_PREFIX}*",),
            ),
            Grant(
                ("set", "del"),
                (
                    f"{streams.PREVIEW_WANTED_PREFIX}*",
                    f"{streams.OVERLAYS_PREFIX}*",
                    f"{streams.CAMERAS_PREFIX}*",
                ),
            ),
            Grant(("publish",), channels=(streams.GALLERY_CHANNEL,)),
            Grant(("hgetall", "get"), (f"{streams.CAMERA_PREFIX}*", f"{streams.PREVIEW_PREFIX}*"), "r"),
        ),
    )


def worker_accounts(worker: WorkerAccount, *, selectors: bool) -> list[User]:
    """One worker: adds what it saw, reads its own galleries, writes the state of its own cameras."""
    own = f"{checked_account_name(worker.worker_id, 'worker')}:"
    if own == streams.WANTED:
        raise SealingError(f"worker id {worker.worker_id!r} means something else in Redis: choose another id")
    ids = (f"{own}*", *map(_literal, worker.camera_ids))
    cameras = tuple(streams.camera_key(camera) for camera in ids)
    previews = tuple(streams.preview_key(camera) for camera in ids)
    told = tuple(key(camera) for key in (streams.overlays_key, streams.preview_wanted_key) for camera in ids)
    main = (
        Grant((_ALWAYS,)),
        Grant(("xadd",), (streams.CANDIDATES, streams.TRAFFIC, streams.DEAD)),
        Grant(("get", "hgetall"), (f"{streams.GALLERY_PREFIX}*:{worker.worker_id}",), "r"),
        Grant(("subscribe", "unsubscribe"), channels=(streams.GALLERY_CHANNEL,)),
        Grant(("hset",), cameras),
        Grant(("get",), (streams.cameras_key(worker.worker_id), *told), "r"),
    )
    jobs = Grant(("xreadgroup", "xack"), (streams.JOBS,))
    preview = Grant(("set",), previews)
    if selectors:
        return [User(worker.user, (*main, jobs, preview))]
    return [
        User(worker.user, main),
        User(f"{worker.user}:jobs", (Grant((_ALWAYS,)), jobs)),
        User(preview_user(worker.worker_id), (Grant((_ALWAYS,)), preview)),
    ]


def integrator_account(integrator_id: str) -> User:
    """One integrator: reads what is confirmed and what was counted, and nothing else; no groups."""
    return User(
        integrator_user(integrator_id),
        (Grant((_ALWAYS,)), Grant(("xread",), (streams.CONFIRMED, streams.TRAFFIC), "r")),
    )


def _line(user: User, password: str, *, selectors: bool) -> str:
    own, *others = (grant.rule(selectors=selectors) for grant in user.grants)
    digest = hashlib.sha256(password.encode()).hexdigest()
    head = f"user {user.name} on sanitize-payload #{digest} resetchannels -@all {own}"
    return " ".join([head, *(f"({rule})" if selectors else rule for rule in others)])


def _literal(name: str) -> str:
    """A camera's id within a pattern; ids hold no blanks or brackets, so nothing in them is a wildcard."""
    if any(character in "*?[]\\()" or character.isspace() for character in name):
        raise ValueError(f"camera id {name[:80]!r} holds a character that means something in a pattern")
    if name.startswith(streams.WANTED):
        raise SealingError(
            f"camera id {name[:80]!r} begins with {streams.WANTED!r}: give the camera another id"
        )
    return name
