"""`pipelines.tracing`: spans where they are asked for, of ids and numbers alone, from a picture to the queue."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from api.stream import Bus
from pipelines import streams
from pipelines.bus import CandidateConsumer
from pipelines.errors import ConfigError
from pipelines.live.observing import Observing
from pipelines.spool import Spool
from pipelines.tracing import SpanAbout, Tracing, is_traceparent, tracing_from
from pipelines.worker_place import WorkerPlace
from tests.redis_server import api_redis, redis_program, redis_server, worker_redis
from tests.seeds import Seeded, seed
from tests.worker_bench import ANN, Bench

__all__ = ["api_redis", "redis_program", "redis_server", "worker_redis"]

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ON = {"AIQYN_OTEL": "1"}


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> Iterator[Tracing]:
    made = tracing_from("test", ON, spans)
    yield made
    made.close()


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def trace_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return int(span.context.trace_id)


class TestOff:
    @pytest.mark.parametrize("environment", [{}, {"AIQYN_OTEL": "0"}])
    def test_it_is_off_unless_asked_for(self, environment: dict[str, str]) -> None:
        tracing = tracing_from("test", environment)
        with tracing.span("a"), tracing.joined("b", PARENT):
            assert tracing.traceparent() is None
        assert type(tracing) is Tracing
        tracing.close()

    @pytest.mark.parametrize(
        ("modules", "packages"),
        [
            # redis-py imports API and SDK by itself where they are installed, and no exporter.
            ("pipelines.live.matcher, api.services", ("opentelemetry.exporter",)),
            ("pipelines.live.metrics", ("opentelemetry",)),
        ],
    )
    def test_nothing_of_it_is_imported(self, modules: str, packages: tuple[str, ...]) -> None:
        code = (
            f"import json, sys, {modules}\n"
            "from pipelines.tracing import tracing_from\n"
            "with tracing_from('x', {}).span('a'): pass\n"
            f"print(json.dumps([name for name in sys.modules if name.startswith({packages!r})]))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert json.loads(done.stdout.splitlines()[-1]) == []

    def test_another_word_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="AIQYN_OTEL: must be 0 or 1"):
            tracing_from("test", {"AIQYN_OTEL": "yes"})

    def test_without_the_extra_it_says_what_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
        with pytest.raises(ConfigError, match=r"aiqyn\[otel\]"):
            tracing_from("test", ON)


class TestSpans:
    def test_they_lie_within_each_other_and_say_what_they_were_told(
        self, tracing: Tracing, spans: InMemorySpanExporter
    ) -> None:
        about = SpanAbout("gate", frame_index=7)
        with tracing.span("frame", about, began_unix_seconds=1_800_000_000.5), tracing.span("infer"):
            pass
        found = by_name(spans)
        assert dict(found["frame"].attributes or {}) == {"aiqyn.camera_id": "gate", "aiqyn.frame_index": 7}
        assert found["frame"].start_time == 1_800_000_000_500_000_000
        assert found["infer"].parent is not None
        assert found["infer"].parent == found["frame"].context

    def test_of_an_error_only_its_kind_is_kept(self, tracing: Tracing, spans: InMemorySpanExporter) -> None:
        with pytest.raises(OSError, match="Jane"), tracing.span("publish"):
            raise OSError("rtsp://user:hunter2@host of Jane Doe")
        (span,) = spans.get_finished_spans()
        told = span.to_json()
        assert span.status.description == "OSError"
        assert (span.events, "Jane" in told, "hunter2" in told) == ((), False, False)

    def test_another_process_goes_on_where_the_first_left_off(
        self, tracing: Tracing, spans: InMemorySpanExporter
    ) -> None:
        with tracing.span("publish"):
            carried = tracing.traceparent()
        assert is_traceparent(carried)
        with tracing.joined("intake", carried):
            pass
        found = by_name(spans)
        assert trace_id(found["intake"]) == trace_id(found["publish"])
        assert found["intake"].parent is not None

    @pytest.mark.parametrize(
        "carried", [None, "", "x", PARENT + "0", PARENT.upper(), "00-" + "0" * 32 + "-x-01"]
    )
    def test_what_is_no_context_begins_a_trace_of_its_own(
        self, tracing: Tracing, spans: InMemorySpanExporter, carried: str | None
    ) -> None:
        with tracing.joined("intake", carried):
            pass
        (span,) = spans.get_finished_spans()
        assert span.parent is None

    def test_a_span_can_be_told_ids_and_numbers_alone(self) -> None:
        named = set(SpanAbout.__dataclass_fields__)
        assert named == {"camera_id", "deployment_id", "candidate_id", "frame_index", "outcome"}


class TestTheWay:
    """From a painted recording to the records of the service, through real Redis servers."""

    def test_from_a_picture_to_its_stream_entry(
        self, tmp_path: Path, redis_server: EmbeddedRedis, tracing: Tracing, spans: InMemorySpanExporter
    ) -> None:
        bench = Bench(tmp_path, redis_server)
        bench.add_recording("gate", [ANN])
        bench.publish()
        bench.worker(place=WorkerPlace(observing=Observing(tracing=tracing))).run(exit_when_done=True)
        entries: Any = bench.api.xreadgroup("api", "reader", {streams.CANDIDATES: ">"})
        bench.close()
        fields = entries[0][1][0][1]
        carried = fields[b"traceparent"].decode()
        found = spans.get_finished_spans()
        whole = [span for span in found if format(trace_id(span), "032x") == carried.split("-")[1]]
        assert {span.name for span in whole} == {"frame", "decode", "infer", "decide", "seal", "publish"}
        (publish,) = [span for span in whole if span.name == "publish"]
        assert publish.context is not None
        assert format(publish.context.span_id, "016x") == carried.split("-")[2]
        told = " ".join(span.to_json() for span in found)
        assert "aiqyn.deployment_id" in told
        assert "s-ann" not in told

    def test_into_the_records(
        self,
        tmp_path: Path,
        redis_server: EmbeddedRedis,
        worker_redis: Redis,
        tracing: Tracing,
        spans: InMemorySpanExporter,
    ) -> None:
        live = service(tmp_path, redis_server)
        known = live.services.bus
        assert known is not None
        with redis_server.connect() as client:
            bus = Bus(client, live.services.intake, live.services.keys, tracing=tracing)
            send(tmp_path, worker_redis, live, PARENT)
            while not bus.take_in():
                pass
        live.services.close()
        span = by_name(spans)["intake"]
        assert format(trace_id(span), "032x") == PARENT.split("-")[1]
        assert dict(span.attributes or {})["aiqyn.camera_id"] == "gate"

    @pytest.mark.parametrize("carried", ["rubbish", "00-" + "f" * 500])
    def test_a_forged_context_changes_nothing(
        self, tmp_path: Path, redis_server: EmbeddedRedis, worker_redis: Redis, carried: str
    ) -> None:
        live = service(tmp_path, redis_server)
        assert live.services.bus is not None
        send(tmp_path, worker_redis, live, carried)
        consumer = CandidateConsumer(redis_server.connect(), live.services.keys.worker_verifying_keys, "test")
        (received,) = consumer.read(block_seconds=0.5)
        assert received.traceparent == carried
        assert live.services.intake.accept(received.candidate, received.checked.document).value == "accepted"
        live.services.close()


def service(tmp_path: Path, server: EmbeddedRedis) -> Seeded:
    return seed(
        tmp_path / "service",
        redis_url=server.url,
        redis_username="api",
        redis_password=server.password("api"),
    )


def send(tmp_path: Path, redis: Redis, live: Seeded, traceparent: str) -> None:
    """A candidate through the spool, with this context beside it."""
    from pipelines.bus import CandidatePublisher

    with Spool(tmp_path / "spool") as spool:
        publisher = CandidatePublisher(
            redis, spool, "w1", live.worker.candidates, traceparent=lambda: traceparent
        )
        publisher.publish(live.candidate(1))
    with Spool(tmp_path / "spool") as again:  # a restart in between
        CandidatePublisher(redis, again, "w1", live.worker.candidates).flush()
