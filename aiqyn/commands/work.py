"""`aiqyn work`: the cameras of one worker, searched while a deployment says so."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aiqyn.commands.exits import ALL_DONE, NOTHING_DONE, SOME_FAILED, fail, report

if TYPE_CHECKING:
    from redis import Redis

    from pipelines.config import Config
    from pipelines.worker import Worker, WorkerReport
    from pipelines.worker_keys import WorkerKeys


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
    """Watches the configured cameras until interrupted; searches faces only under an active deployment."""
    from aiqyn.logs import log_to_stderr
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError
    from pipelines.process_guard import forbid_memory_dumps
    from vision.errors import VisionError
    from weights.errors import WeightsError

    log_to_stderr()
    try:
        forbid_memory_dumps()
        loaded = load_config(config or default_config_path())
        worker = _build(loaded)
        ended = _run(worker, exit_when_done=exit_when_done)
    except (PipelineError, WeightsError, VisionError) as error:
        fail(str(error))
    if as_json:
        typer.echo(json.dumps(_document(ended)))
    raise typer.Exit(_exit_code(ended))


def _build(loaded: Config) -> Worker:
    from pipelines.build import PerceptionOptions, build_perception
    from pipelines.worker import Worker
    from pipelines.worker_keys import WorkerKeys
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    keys = WorkerKeys.load(loaded.worker_keys_dir())
    redis = _connected(loaded, keys)
    store = WeightStore(loaded.paths.weights_dir, load_catalog(loaded.paths.weights_dir))
    return Worker(loaded, keys, build_perception(store, PerceptionOptions.of(loaded)), redis)


def _connected(loaded: Config, keys: WorkerKeys) -> Redis:
    """The configured Redis, else the embedded one that runs on this data folder."""
    from aiqyn.embedded.redis import embedded_address
    from pipelines.acl import worker_user
    from pipelines.errors import BusError
    from pipelines.streams import connect

    address = loaded.redis.address() or embedded_address(loaded.paths.data_dir)
    if address is None:
        raise BusError(
            f"redis.url is not set, and no embedded Redis runs on {loaded.paths.data_dir}: set it, or start "
            "the service first"
        )
    password = loaded.redis.password
    return connect(
        address,
        username=loaded.redis.username or worker_user(keys.worker_id),
        password=keys.redis_password if password is None else password.get_secret_value(),
        security=loaded.redis.security(),
    )


def _run(worker: Worker, *, exit_when_done: bool) -> WorkerReport:
    def end(*_: object) -> None:
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return worker.run(exit_when_done=exit_when_done)


def _exit_code(ended: WorkerReport) -> int:
    for camera_id in ended.failed:
        report(f"camera {camera_id}: {ended.cameras[camera_id].detail}")
    if ended.waiting:
        report(f"{ended.waiting} candidates wait on disk; the next start sends them")
    if len(ended.failed) == len(ended.cameras):
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
