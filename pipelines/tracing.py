"""Spans from a camera's picture to an operator's queue (OpenTelemetry), off unless `AIQYN_OTEL=1`.

Off, nothing is imported and a span is a context manager that does nothing. On, the extra `otel` is needed, spans go
to an OTLP collector over HTTP, and OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`,
`OTEL_TRACES_SAMPLER`, …) hold. A span carries ids, numbers and outcomes, nothing else: `SpanAbout` is all it can be
told, and of an error only its kind is kept.

The context goes with a candidate beside the signed event, in a field of the stream's entry of its own
(`traceparent`, W3C Trace Context): what is signed stays as it is, and whoever reads it believes nothing of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, fields
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from pipelines.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

SWITCH: Final = "AIQYN_OTEL"
SERVICE_NAME_VARIABLE: Final = "OTEL_SERVICE_NAME"

_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class SpanAbout:
    """All a span can be told; empty where it does not apply.

    Attributes:
        camera_id: where.
        deployment_id: under which it is searched.
        candidate_id: what came of it.
        frame_index: of the source.
        outcome: in one word.
    """

    camera_id: str = ""
    deployment_id: str = ""
    candidate_id: str = ""
    frame_index: int | None = None
    outcome: str = ""

    def attributes(self) -> dict[str, str | int]:
        """Those that apply, by their names in a trace."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        return {f"aiqyn.{name}": value for name, value in told.items() if value not in ("", None)}


NOTHING: Final = SpanAbout()


class Tracing:
    """Spans that are not wanted. Every way to one is the same as where they are."""

    def span(
        self, name: str, about: SpanAbout = NOTHING, *, began_unix_seconds: float | None = None
    ) -> AbstractContextManager[None]:
        """A stretch of work, within the one that is under way in this thread.

        Args:
            name: what is done.
            about: to what.
            began_unix_seconds: where it began before it was entered.
        """
        del name, about, began_unix_seconds
        return nullcontext()

    def joined(
        self, name: str, traceparent: str | None, about: SpanAbout = NOTHING
    ) -> AbstractContextManager[None]:
        """A stretch of work that goes on where another process left off; a new trace where that is not known."""
        del name, traceparent, about
        return nullcontext()

    def traceparent(self) -> str | None:
        """Where the work under way in this thread stands, for another process; None where nobody traces it."""
        return None

    def close(self) -> None:
        """Sends what has not been sent."""


class SpanTracing(Tracing):
    """Spans to an exporter."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("aiqyn", metadata.version("aiqyn"))
        self._propagator = TraceContextTextMapPropagator()

    def span(
        self, name: str, about: SpanAbout = NOTHING, *, began_unix_seconds: float | None = None
    ) -> AbstractContextManager[None]:
        """See `Tracing.span`."""
        began = None if began_unix_seconds is None else int(began_unix_seconds * 1e9)
        return self._entered(name, about, start_time=began)

    def joined(
        self, name: str, traceparent: str | None, about: SpanAbout = NOTHING
    ) -> AbstractContextManager[None]:
        """See `Tracing.joined`."""
        from opentelemetry.context import Context

        carrier = {"traceparent": traceparent} if is_traceparent(traceparent) else {}
        return self._entered(name, about, context=self._propagator.extract(carrier, Context()))

    def traceparent(self) -> str | None:
        """See `Tracing.traceparent`."""
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        """See `Tracing.close`."""
        self._provider.shutdown()

    @contextmanager
    def _entered(self, name: str, about: SpanAbout, **options: Any) -> Iterator[None]:
        from opentelemetry.trace import StatusCode

        # An error's own words and its traceback may hold anything: neither is recorded.
        with self._tracer.start_as_current_span(
            name,
            attributes=about.attributes(),
            record_exception=False,
            set_status_on_exception=False,
            **options,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise


def is_traceparent(text: str | None) -> bool:
    """Whether a text is a `traceparent` of W3C Trace Context, version 00."""
    return text is not None and _TRACEPARENT.fullmatch(text) is not None


def tracing_from(
    service: str, environment: Mapping[str, str] | None = None, exporter: SpanExporter | None = None
) -> Tracing:
    """Spans, where `AIQYN_OTEL=1` asks for them.

    Args:
        service: how this process is called in a trace, unless `OTEL_SERVICE_NAME` says.
        environment: variables; this process's own by default.
        exporter: where spans go; to the OTLP collector of OpenTelemetry's variables where None.

    Raises:
        ConfigError: the variable holds another word, or the extra `otel` is not installed.
    """
    variables = os.environ if environment is None else environment
    wanted = variables.get(SWITCH, "0")
    if wanted not in ("0", "1"):
        raise ConfigError(f"environment variable {SWITCH}: must be 0 or 1")
    if wanted == "0":
        return Tracing()
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    except ImportError as error:
        raise ConfigError(
            f"environment variable {SWITCH}: spans need the extra `otel`: pip install 'aiqyn[otel]'"
        ) from error
    resource = Resource.create({"service.name": variables.get(SERVICE_NAME_VARIABLE, service)})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if exporter is None:
        provider.add_span_processor(BatchSpanProcessor(_to_collector()))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    return SpanTracing(provider)


def _to_collector() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
