"""This installation: its settings, weights, keys, Redis, database driver and port."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from aiqyn.doctor.report import Check, fail, ok, warn
from pipelines.config import Config
from pipelines.errors import BusError, PipelineError
from pipelines.key_files import check_private_folder, read_private
from weights.catalog import Catalog
from weights.errors import WeightsError
from weights.store import WeightStore


def check_weights(config: Config, catalog: Catalog) -> Iterator[Check]:
    """The state of every model the settings name, each hashed."""
    store = WeightStore(config.paths.weights_dir, catalog)
    models = config.models
    for model_id in filter(None, (models.detector, models.face_detector, models.embedder)):
        yield _model_check(store, model_id)


def _model_check(store: WeightStore, model_id: str) -> Check:
    name = f"weights {model_id}"
    pull = f"aiqyn weights pull {model_id}"
    try:
        state = store.state(model_id)
    except WeightsError as error:
        return fail(
            name, str(error), "see `aiqyn weights list`, and models and paths.weights_dir in the settings"
        )
    if state == "ready":
        return ok(name, "verified")
    if state == "damaged":
        return fail(name, "the file is not the one the catalogue names", f"fetch it again: {pull}")
    return fail(name, "not pulled yet" if state == "absent" else "fetched, not converted yet", pull)


def check_keys(keys_dir: Path) -> Check:
    """Whether keys are there and closed to everybody else."""
    if not keys_dir.exists():
        return warn("keys", f"{keys_dir}: no key store yet", "aiqyn keys init")
    try:
        count = sum(_private_files(keys_dir))
    except PipelineError as error:
        return fail("keys", str(error), "keys and their folders are their owner's alone: 0600 and 0700")
    return ok("keys", f"{keys_dir}: {count} files, closed to others")


def _private_files(folder: Path) -> Iterator[int]:
    check_private_folder(folder)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _private_files(path)
        else:
            read_private(path)
            yield 1


def check_redis(config: Config, catalog: Catalog) -> Check:
    """The server the settings name, or the one the embedded stack would start."""
    from aiqyn.embedded.redis_server import find_server

    if config.redis.url is not None:
        return _remote_redis(config)
    try:
        server = find_server(WeightStore(config.paths.weights_dir, catalog))
    except BusError as error:
        return fail("redis", str(error), "aiqyn weights pull redis-server")
    found = f"{server.version_text} at {server.path}"
    advice = server.advice()
    return warn("redis", found, advice) if advice else ok("redis", found)


def _remote_redis(config: Config) -> Check:
    from redis.exceptions import RedisError

    from pipelines.streams import connect

    settings = config.redis
    where = f"redis.url {settings.url}"
    password = settings.password.get_secret_value() if settings.password else None
    try:
        with connect(
            settings.address() or "",
            username=settings.username,
            password=password,
            retries=0,
            security=settings.security(),
        ) as client:
            client.ping()
    except PipelineError as error:
        return fail("redis", str(error), "mend redis in the settings")
    except RedisError as error:
        fix = "start it, or mend redis.url, redis.username and AIQYN_REDIS_PASSWORD"
        return fail("redis", f"{where} does not answer ({type(error).__name__})", fix)
    return ok("redis", f"{where} answers")


def check_database(config: Config) -> Check:
    """Whether the driver of a database other than SQLite is installed."""
    url = config.api.database_url
    if url is None or url.startswith("sqlite"):
        return ok("database", "SQLite in the data folder" if url is None else "SQLite")
    if url.startswith("postgresql") and find_spec("psycopg") is None:
        return fail("database", "PostgreSQL, without its driver", "install the extra `postgres`")
    return ok("database", url.partition(":")[0])


def check_port(config: Config) -> Check:
    """Whether the service could listen where the settings say."""
    host, port = config.api.host, config.api.port
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except socket.gaierror:
        return fail("port", f"{host} is no address of this machine", "set api.host to one, such as 127.0.0.1")
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return warn(
                "port", f"{where} is in use", "fine if `aiqyn serve` runs; else set api.port to another"
            )
        return fail(
            "port", f"{where}: {error.strerror}", "set api.host and api.port to what this user may listen on"
        )
    return ok("port", f"{where} is free")
