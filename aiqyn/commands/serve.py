"""`aiqyn serve`: the API, the operators' page, and the threads of intake, hold, expiry and outbox."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aiqyn.commands.exits import fail

if TYPE_CHECKING:
    from api.settings import Settings
    from pipelines.config import Config

REFUSED_BIND = (
    "{host}: others could reach this address, and passwords would cross the network in clear. Give "
    "--tls-certificate and --tls-key, or --behind-proxy where a proxy on this machine or network does TLS"
)

NO_ORIGIN = (
    "api.origin is not set: judgements are signed with passkeys, which belong to the name the page is opened under. "
    "Set it as browsers write it, e.g. api.origin: https://aiqyn.example"
)


LEFT_OVER_SECONDS = 5.0
"""So long the further processes of a service that was killed may hold its port."""

group = typer.Typer()


def register(app: typer.Typer) -> None:
    """Adds the command to the program."""
    app.add_typer(group)


@group.command("serve")
def serve(
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The settings file; else AIQYN_CONFIG, else aiqyn.yaml here."),
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on; else api.host.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port; else api.port.")] = None,
    tls_certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="PEM with the certificate chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="PEM with its private key.")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="A proxy in front does TLS and is the only one to come in.")
    ] = False,
) -> None:
    """Serves the API and the page until interrupted."""
    from aiqyn.logs import log_to_stderr
    from aiqyn.serving.first import run_service
    from aiqyn.serving.options import ServeOptions
    from pipelines.config import default_config_path, load_config
    from pipelines.errors import PipelineError

    log_to_stderr()
    try:
        loaded = load_config(config or default_config_path())
    except PipelineError as error:
        fail(str(error))
    if (tls_certificate is None) != (tls_key is None):
        fail("--tls-certificate and --tls-key belong together: give both")
    tls = tls_certificate is not None
    chosen_host = host or loaded.api.host
    if not (is_loopback(chosen_host) or tls or behind_proxy):
        fail(REFUSED_BIND.format(host=chosen_host))
    if loaded.api.origin is None and (behind_proxy or not is_loopback(chosen_host)):
        fail(NO_ORIGIN)
    chosen_port = loaded.api.port if port is None else port
    _check_tls(tls_certificate, tls_key)
    try:
        with _with_bus(loaded, chosen_port, https=tls or behind_proxy) as settings:
            _check_free(chosen_host, chosen_port, loaded.api.processes)
            run_service(
                settings,
                ServeOptions(
                    host=chosen_host,
                    port=chosen_port,
                    tls=(tls_certificate, tls_key) if tls_certificate and tls_key else None,
                    trusted_proxies=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
                    if behind_proxy
                    else None,
                    processes=loaded.api.processes,
                ),
            )
    except PipelineError as error:
        fail(str(error))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address; a name other than `localhost` counts as reachable."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    """Ends the command where the files are no certificate and key that belong together."""
    if certificate is None or key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:  # SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "cannot be read"
        fail(
            f"--tls-certificate {certificate}, --tls-key {key}: {reason}; give a PEM chain and its unencrypted key"
        )


def _check_free(host: str, port: int, processes: int) -> None:
    """Ends the command where the address cannot be listened on; the server itself would only log that."""
    from aiqyn.serving.listening import check_free

    try:
        check_free(host, port, patience_seconds=LEFT_OVER_SECONDS if processes > 1 else 0.0)
    except OSError as error:
        fail(f"{host}:{port}: cannot be listened on: {error.strerror}; choose another --host or --port")


@contextmanager
def _with_bus(loaded: Config, port: int, *, https: bool) -> Iterator[Settings]:
    """The service's settings; where no `redis.url` is set, over a private Redis that lives as long as it."""
    from dataclasses import replace

    from aiqyn.embedded.redis import EmbeddedRedis
    from aiqyn.embedded.redis_server import find_server
    from api.keys.store import KeyStore
    from api.settings import settings_from
    from pipelines.acl import API_USER, WorkerAccount
    from weights.catalog import load_catalog
    from weights.store import WeightStore

    settings = settings_from(loaded, https=https, port=port)
    if settings.redis_url is not None:
        yield settings
        return
    keys = KeyStore.open(loaded.paths.keys_dir)
    here = WorkerAccount(loaded.worker.id, tuple(loaded.cameras))
    others = [WorkerAccount(worker_id) for worker_id in keys.worker_ids() if worker_id != loaded.worker.id]
    server = find_server(WeightStore(loaded.paths.weights_dir, load_catalog(loaded.paths.weights_dir)))
    with EmbeddedRedis(
        server, loaded.paths.data_dir, workers=[here, *others], passwords=keys.redis_passwords()
    ) as redis:
        yield replace(
            settings,
            redis_url=redis.url,
            redis_username=API_USER,
            redis_password=redis.password(API_USER),
        )
