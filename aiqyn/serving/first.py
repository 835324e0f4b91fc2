"""The first process of the service, and the only one where no more are asked for."""

from __future__ import annotations

from aiqyn.serving.further import FurtherProcesses
from aiqyn.serving.listening import close_all, shared_sockets
from aiqyn.serving.options import ServeOptions
from aiqyn.serving.program import run_server
from api.services import build_services
from api.settings import Settings
from pipelines.errors import PipelineError


def run_service(settings: Settings, options: ServeOptions) -> None:
    """Runs the service until it is told to end.

    Args:
        settings: of the service.
        options: where requests come in, and how many processes answer them.

    Raises:
        PipelineError: the address cannot be shared, or as `build_services`.
    """
    services = build_services(settings)
    if options.processes == 1:
        run_server(services, options, None)
        return
    try:
        sockets = shared_sockets(options.host, options.port, options.processes)
    except OSError as error:
        services.close()
        raise PipelineError(f"{options.host}:{options.port}: cannot be shared: {error.strerror}") from error
    try:
        further = FurtherProcesses(settings, options, sockets[1:], services)
        run_server(services, options, sockets[0], standing=further, beside=further)
    finally:
        close_all(sockets)
