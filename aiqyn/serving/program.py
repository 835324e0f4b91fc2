"""One process of the service: its application, and the server in front of it."""

from __future__ import annotations

import gc
import socket
import sys
from contextlib import AbstractContextManager, suppress
from typing import Any, Final

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from aiqyn.serving.options import ServeOptions
from api.app import create_app
from api.peers import PeerNoted
from api.services import Services
from api.standing import Standing

_NOT_STARTED: Final = 3
"""The exit code of a server that did not come up; it has logged why."""

_GC_THRESHOLDS: Final = (20_000, 20, 20)
"""A request makes thousands of objects that are gone with it: looking for cycles at every 700th costs and finds none."""

SWITCH_SECONDS: Final = 0.001
"""How long a thread keeps the interpreter while others wait for it: a request changes threads several times, and each
time would wait up to five times as long by default."""


def run_server(
    services: Services,
    options: ServeOptions,
    sockets: list[socket.socket] | None,
    *,
    standing: Standing | None = None,
    beside: AbstractContextManager[object] | None = None,
) -> None:
    """Answers requests until this process is told to end.

    Args:
        services: not started yet; closed in the end.
        options: where requests come in.
        sockets: that are bound; made here where None.
        standing: says how the service fares; `services` where None.
        beside: entered before the first request, and left after the last.
    """
    app: Any = create_app(services, standing=standing, beside=beside)
    if options.trusted_proxies is not None:
        app = PeerNoted(ProxyHeadersMiddleware(app, trusted_hosts=options.trusted_proxies))
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again and again would make somebody wait each time
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_SECONDS)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        ssl_certfile=str(options.tls[0]) if options.tls else None,
        ssl_keyfile=str(options.tls[1]) if options.tls else None,
        proxy_headers=False,  # done above, so that who is at the other end stays known
        server_header=False,
        log_config=None,  # its own would write past ours, in another form
        access_log=False,  # the ledger says who looked at what; an access log would say it again, unsealed
        log_level="warning",
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(_NOT_STARTED)
