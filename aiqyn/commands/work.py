"""`aiqyn work`: the cameras of one worker, searched while a deployment says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiqyn.commands.exits import ALL_DONE, NOTHING_DONE, SOME_FAILED, fail, report

if TYPE_CHECKING:
    from pipelines.camera_status import WorkerReport
    from pipelines.config import Config
    from pipelines.live.supervisor_signals import EarlyReload


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.command("work")(work)


def work(
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here."),
    ] = None,
    exit_when_done: Annotated[
        bool,
        typer.Option("--exit-when-done", help="End once every recording has ended and all is sent."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print how it ended as one JSON document.")] = False,
) -> None:
    """Watches the configured cameras until interrupted; searches faces only under an active deployment.

    SIGHUP has it read the settings again: cameras come, change and go, the others go on untouched."""
    from aiqyn.commands.config import notes_on
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError
    from pipelines.live.supervisor_signals import EarlyReload
    from pipelines.logs import log_to_stderr
    from pipelines.process_guard import allow_many_files, forbid_memory_dumps

    early = EarlyReload()
    try:
        log_to_stderr()
        forbid_memory_dumps()
        allow_many_files()
        path = config or default_config_path()
        loaded = load_config(path)
        for note in notes_on(loaded):
            typer.echo(f"note: {note}", err=True)
        ended = _supervise(loaded, path, early, exit_when_done=exit_when_done)
    except PipelineError as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(_document(ended)))
    raise typer.Exit(_exit_code(ended))


def _supervise(
    loaded: Config, path: Path | None, early: EarlyReload, *, exit_when_done: bool
) -> WorkerReport:
    from aiqyn.embedded.redis import embedded_address
    from pipelines.live.reloading import reread_config
    from pipelines.live.supervisor import Supervisor
    from pipelines.live.supervisor_options import SupervisorOptions
    from pipelines.live.supervisor_signals import ended_by_signals

    def address() -> str | None:
        """The configured Redis, else the embedded one that runs on this data folder."""
        return loaded.redis.address() or embedded_address(loaded.paths.data_dir)

    options = SupervisorOptions(
        address, exit_when_done, standby=loaded.worker.standby, read_settings=lambda: reread_config(path)
    )
    supervisor = Supervisor(loaded, options)
    with ended_by_signals(supervisor):
        if early.came:
            supervisor.reload()
        return supervisor.run()


def _exit_code(ended: WorkerReport) -> int:
    for camera_id in ended.failed:
        report(f"camera {camera_id}: {ended.cameras[camera_id].detail}")
    if ended.waiting:
        report(f"{ended.waiting} candidates wait on disk; the next start sends them")
    if ended.failed and len(ended.failed) == len(ended.cameras):
        return NOTHING_DONE
    return SOME_FAILED if ended.failed or ended.waiting or _lost(ended) else ALL_DONE


def _lost(ended: WorkerReport) -> int:
    lost = sum(status.lost for status in ended.cameras.values())
    if lost:
        report(f"{lost} findings could not be published; the log says why")
    return lost


def _document(ended: WorkerReport) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "cameras": {name: asdict(status) for name, status in ended.cameras.items()},
        "candidates_waiting": ended.waiting,
    }
