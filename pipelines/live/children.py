"""Child processes of the supervisor: started with a control socket, listened to, ended, and their dying explained."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from pipelines.config import Config
from pipelines.config_secrets import placeholder_names
from pipelines.errors import PipelineError
from pipelines.live import control
from pipelines.live.control import AnyMessage, DeathKind
from pipelines.live.limits import stand_back
from pipelines.live.messages import MessageError, control_pair
from pipelines.thread_variables import thread_variables

MOST_WAITING = 1000
"""Messages for a child that does not read them; then it hangs."""

REPLACE_CODE = 75
"""Exit code of a matching process that is to be replaced: somebody may no longer be searched."""

STUCK_CODE = 74
"""Exit code of a decoder that found itself hanging; `decoder.STUCK`."""

DECODER_NICENESS = 10
"""Below the matching process: a camera that fails has its decoder started again and again, and those that do not must
not wait for it. A picture decoded late is overtaken; a look that takes longer delays every camera."""

_LIMIT_SIGNALS = {signal.SIGXCPU: "used more processor time", signal.SIGXFSZ: "wrote a larger file"}
_NAMED_PREFIX = "AIQYN_SECRET_"
_NEEDED_BY_ALL = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Death:
    """Why a process is no more.

    Attributes:
        kind: in one word.
        detail: in one line, for people.
    """

    kind: DeathKind
    detail: str


@dataclass(frozen=True, slots=True)
class Program:
    """What a child runs.

    Attributes:
        command: its argument vector; the number of its control socket is added.
        environment: all of it.
        niceness: how far it stands back where the processors are short, 0 to 19.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    niceness: int = 0


def decoder_program() -> Program:
    """The decoder; of the environment it gets what any program needs, and no secret."""
    kept = {name: os.environ[name] for name in _NEEDED_BY_ALL if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith(("LC_", "AIQYN_LOG_"))}
    kept |= thread_variables(1)
    return Program((sys.executable, "-m", "pipelines.live.decoder"), kept, DECODER_NICENESS)


def matcher_program(config: Config) -> Program:
    """The matching process; without the secrets of cameras, and without that of Redis, which it is told."""
    wanted = {name.upper() for camera in config.cameras.values() for name in placeholder_names(camera.source)}
    wanted |= {name.upper() for name in config.worker.camera_secrets}

    def kept(variable: str) -> bool:
        if not variable.startswith(_NAMED_PREFIX):
            return variable != "AIQYN_REDIS_PASSWORD"
        return variable.removeprefix(_NAMED_PREFIX).upper() not in wanted

    environment = {name: value for name, value in os.environ.items() if kept(name)}
    environment |= thread_variables(1)  # it tells its libraries itself what it was configured to use
    return Program((sys.executable, "-m", "pipelines.live.matcher"), environment)


class Child:
    """One running child. Reading and writing never wait; somebody polls `control` and `pidfd`.

    Attributes:
        name: in logs.
        control: our end of its socket.
        pidfd: readable when it has ended.
        heard_at: when it last said anything, or began; on the monotonic clock.
        began_at: when it began.
        silent: whether it closed its end of the socket, and will never say anything again.
    """

    def __init__(self, name: str, program: Program) -> None:
        """Starts it.

        Raises:
            PipelineError: it cannot be started.
        """
        self.name = name
        self.control, theirs = control_pair()
        try:
            self._process = subprocess.Popen(
                [*program.command, str(theirs.fileno())],
                env=dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno(),  # what the command prints must stay readable
                pass_fds=(theirs.fileno(),),
                process_group=0,  # an interrupt from the terminal is ours to hand on, in order
            )
            # From its first moment: what a program loads is most of what one that fails at once takes.
            stand_back(program.niceness, self._process.pid)
            self.pidfd = os.pidfd_open(self._process.pid)
        except OSError as error:
            self.control.close()
            raise PipelineError(f"{name}: cannot be started: {error.strerror}") from error
        finally:
            theirs.close()
        self.control.setblocking(False)
        self.silent = False
        self.heard_at = self.began_at = time.monotonic()
        self._waiting: deque[tuple[AnyMessage, tuple[int, ...]]] = deque()
        self._oom_kills = _oom_kills()
        self._killed_because: Death | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def wants_to_write(self) -> bool:
        """Whether `flush` is to be called when its socket takes more."""
        return bool(self._waiting)

    def post(self, message: AnyMessage, descriptors: Sequence[int] = ()) -> None:
        """Sends a message, now or when there is room; the descriptors stay the caller's to close."""
        self._waiting.append((message, tuple(os.dup(one) for one in descriptors)))
        self.flush()
        if len(self._waiting) > MOST_WAITING:
            self.kill(Death("hung", f"did not read {MOST_WAITING} messages and was killed"))

    def flush(self) -> None:
        """Sends what waits, as far as there is room."""
        while self._waiting:
            message, descriptors = self._waiting[0]
            try:
                control.send(self.control, message, descriptors)
            except BlockingIOError:
                return
            except OSError:
                pass  # nobody is there any more; `died` will say why
            self._waiting.popleft()
            control.close_all(descriptors)

    def received(self) -> list[tuple[AnyMessage, tuple[int, ...]]]:
        """What it said; empty once it has closed its end. What is no message is logged and passed over."""
        found: list[tuple[AnyMessage, tuple[int, ...]]] = []
        while True:
            try:
                one = control.receive(self.control)
            except BlockingIOError:
                return found
            except MessageError as error:
                _log.warning("child_unclear", child=self.name, reason=str(error))
                continue
            except OSError:
                one = None
            if one is None:
                self.silent = True
                return found
            self.heard_at = time.monotonic()
            found.append(one)

    def kill(self, because: Death) -> None:
        """Ends it at once; `died` will give this reason."""
        self._killed_because = self._killed_because or because
        with suppress(ProcessLookupError):
            self._process.kill()

    def died(self) -> Death | None:
        """Why it ended; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        if self._killed_because is not None and code == -signal.SIGKILL:
            return self._killed_because
        return explain(code, oom_kills=_oom_kills() - self._oom_kills)

    @property
    def exit_code(self) -> int | None:
        """As `subprocess` has it; None while it runs."""
        return self._process.returncode

    def close(self) -> None:
        """Ends it, if it still runs, waits for it, and lets go of everything."""
        self.kill(Death("exit", "was not needed any more"))
        self._process.wait()
        os.close(self.pidfd)
        self.control.close()
        for _, descriptors in self._waiting:
            control.close_all(descriptors)
        self._waiting.clear()


def explain(exit_code: int, *, oom_kills: int = 0) -> Death:
    """Why a process ended, from its exit code.

    Args:
        exit_code: as `subprocess` has it: negative where a signal ended it.
        oom_kills: processes the system killed for want of memory while it ran.
    """
    if exit_code >= 0:
        if exit_code == REPLACE_CODE:
            return Death("gallery_changed", "somebody may no longer be searched")
        if exit_code == STUCK_CODE:
            return Death("hung", "did not come back from its source")
        return Death("exit", f"ended with exit code {exit_code}; the log says why")
    name = _signal_name(-exit_code)
    if -exit_code == signal.SIGKILL and oom_kills > 0:
        return Death("limit", "out of memory: killed by the system (SIGKILL)")
    if -exit_code in _LIMIT_SIGNALS:
        return Death("limit", f"{_LIMIT_SIGNALS[signal.Signals(-exit_code)]} than its limit allows ({name})")
    how = "was killed" if -exit_code in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT) else "crashed"
    return Death("signal", f"{how} ({name})")


def socket_of(argument: str) -> socket.socket:
    """A child's end of its control socket, from its command line.

    Raises:
        PipelineError: it names none: the program was not started by a supervisor.
    """
    try:
        return socket.socket(fileno=int(argument))
    except (ValueError, OSError):
        raise PipelineError("this program is started by `aiqyn work`, with a socket to it") from None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _oom_kills() -> int:
    """Processes the kernel has killed for want of memory since it began; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
