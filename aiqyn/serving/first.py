"""The first process of the service, and the only one where no more are asked for."""

from __future__ import annotations

from collections.abc import Mapping

from aiqyn.serving.further import FurtherProcesses
from aiqyn.serving.listening import close_all, shared_sockets
from aiqyn.serving.options import ServeOptions
from aiqyn.serving.program import run_server
from api.services import Services, build_services
from api.settings import Settings
from pipelines.errors import PipelineError


class WithFurther:
    """How the service fares, and its further processes."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.further: FurtherProcesses | None = None

    def liveness(self) -> Mapping[str, str]:
        """Of the first process: a supervisor need not restart what starts the others again."""
        return self._services.liveness()

    def readiness(self) -> Mapping[str, str]:
        """Of the first process."""
        return self._services.readiness()

    def notices(self) -> list[str]:
        """Of the service, and of processes that are away."""
        notice = self.further.notice if self.further else None
        return [*self._services.notices(), *([notice] if notice else [])]

    def metrics_text(self) -> bytes:
        """Of the first process, which counts."""
        return self._services.metrics_text()


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
        standing = WithFurther(services)
        standing.further = FurtherProcesses(settings, options, sockets[1:], standing)
        run_server(services, options, sockets[0], standing=standing, beside=standing.further)
    finally:
        close_all(sockets)
