"""`api.metrics`, `api.probes` and the routes over them: figures of nobody, and probes that mean what they say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from aiqyn.embedded.redis import EmbeddedRedis
from api import probes
from api.background import Background, BackgroundLoop
from api.probes import Probe, Probes, database_state, disk_state, local_folders
from api.store.after import Owed
from api.store.engine import Database, open_engine
from api.store.open import open_database
from pipelines.bus import CandidatePublisher
from pipelines.config_metrics import MetricsAccess
from pipelines.spool import Spool
from tests.api_client import Clients, FakeClock
from tests.redis_server import redis_program, redis_server, worker_redis
from tests.seeds import OTHER_NAME, SUBJECT_NAME, WATCHLIST_NAME, Seeded, seed
from tests.waiting import wait_until

__all__ = ["redis_program", "redis_server", "worker_redis"]

TOKEN = "a-token-that-is-long-enough"
HERE = ("127.0.0.1", 50000)


@contextmanager
def asking(
    seeded: Seeded, address: tuple[str, int] = HERE, token: str | None = None
) -> Iterator[httpx.Client]:
    """Somebody at an address asks the service, which has this token."""
    settings = replace(seeded.services.settings, metrics=MetricsAccess(token))
    clients = Clients(replace(seeded, services=replace(seeded.services, settings=settings)), address=address)
    yield clients.http
    clients.http.close()


def text_of(seeded: Seeded) -> str:
    with asking(seeded) as http:
        response: httpx.Response = http.get("/metrics")
    assert response.status_code == 200
    return response.text


class TestMetrics:
    def test_the_service_is_told_in_numbers(self, seeded: Seeded, clock: FakeClock) -> None:
        seeded.take_in(1)
        clock.forward(seconds=30)
        seeded.take_in(2)
        text = text_of(seeded)
        assert "aiqyn_reviews_waiting 2.0" in text
        assert "aiqyn_reviews_oldest_waiting_seconds 30.0" in text
        assert "aiqyn_outbox_waiting 0.0" in text
        assert 'aiqyn_service_part_up{part="database"} 1.0' in text
        assert 'aiqyn_service_part_up{part="bus"} 0.0' in text  # none is configured
        assert "aiqyn_process_resident_memory_bytes" in text

    def test_nothing_tells_of_anybody_or_of_a_first_answer(self, seeded: Seeded, clients: Clients) -> None:
        candidate_id = seeded.take_in(1)
        person = clients.login("aigul")
        before = text_of(seeded)
        assert person.answer(person.queue()[0]["review_id"], "same_person").status_code == 201
        after = text_of(seeded)
        for told in (SUBJECT_NAME, OTHER_NAME, WATCHLIST_NAME, candidate_id, *seeded.subject_ids, "aigul"):
            assert told not in after

        def figures(text: str) -> list[str]:
            return [line for line in text.splitlines() if line.startswith(("aiqyn_reviews", "aiqyn_outbox"))]

        assert figures(before) == figures(after)

    def test_what_is_owed_and_what_nobody_judged_is_told(self, seeded: Seeded, clock: FakeClock) -> None:
        seeded.take_in(1)
        clock.forward(hours=2)
        assert seeded.services.sweeper.run_once() == 1
        seeded.services.after.watch.owed = Owed(2, clock() - timedelta(hours=25), 3, 1, clock())
        text = text_of(seeded)
        assert "aiqyn_candidates_not_judged_total 1.0" in text
        assert "aiqyn_outcomes_missing 2.0" in text
        assert "aiqyn_outcomes_oldest_missing_seconds 3600.0" in text
        assert "aiqyn_complaints_open 3.0" in text
        assert "aiqyn_complaints_overdue 1.0" in text

    def test_without_a_database_the_rest_is_told(self, seeded: Seeded) -> None:
        seeded.services.database.close()
        folder = Path(seeded.services.settings.database_url.removeprefix("sqlite:///")).parent
        folder.rename(folder.with_name("gone"))
        text = text_of(seeded)
        assert 'aiqyn_service_part_up{part="database"} 0.0' in text
        assert "aiqyn_reviews_waiting 0" not in text
        folder.with_name("gone").rename(folder)

    @pytest.mark.parametrize(
        ("client", "token", "headers", "status"),
        [
            (HERE, None, {}, 200),
            (("::1", 1), None, {}, 200),
            (("10.0.0.9", 1), None, {}, 401),
            (HERE, None, {"X-Forwarded-For": "10.0.0.9"}, 401),  # a proxy here, somebody there
            (HERE, None, {"Forwarded": "for=10.0.0.9"}, 401),
            (HERE, TOKEN, {}, 401),
            (("10.0.0.9", 1), TOKEN, {"Authorization": f"Bearer {TOKEN}"}, 200),
            (("10.0.0.9", 1), TOKEN, {"Authorization": f"Bearer {TOKEN}x"}, 401),
            (("10.0.0.9", 1), TOKEN, {"Authorization": "Bearer қ"}, 401),
        ],
    )
    def test_this_machine_or_the_token(
        self, seeded: Seeded, client: tuple[str, int], token: str | None, headers: dict[str, str], status: int
    ) -> None:
        with asking(seeded, client, token) as http:
            sent = {name.encode(): value.encode() for name, value in headers.items()}
            response = http.get("/metrics", headers=sent)
        assert response.status_code == status
        assert ("aiqyn_" in response.text) == (status == 200)
        if status == 401:
            assert response.headers["content-type"] == "application/problem+json"
            assert response.headers["www-authenticate"] == "Bearer"

    def test_a_login_is_no_token_of_the_metrics(self, seeded: Seeded, clients: Clients) -> None:
        person = clients.login("saule")
        with asking(seeded, ("10.0.0.9", 1)) as http:
            assert (
                http.get("/metrics", headers={"Authorization": f"Bearer {person.token}"}).status_code == 401
            )

    def test_what_comes_in_is_counted(
        self, tmp_path: Path, redis_server: EmbeddedRedis, worker_redis: Redis
    ) -> None:
        live = seed(
            tmp_path / "service",
            redis_url=redis_server.url,
            redis_username="api",
            redis_password=redis_server.password("api"),
        )
        bus = live.services.bus
        assert bus is not None
        with Spool(tmp_path / "spool") as spool:
            publisher = CandidatePublisher(worker_redis, spool, "w1", live.worker.candidates)
            now = datetime.now(UTC)
            seen: dict[str, Any] = {
                "observed_at_source": "wall_clock",
                "observed_at_uncertainty_seconds": 2.0,
            }
            publisher.publish(live.candidate(1, observed_at=now - timedelta(seconds=1.5), **seen))
            publisher.publish(
                live.candidate(2, observed_at=now - timedelta(days=3), **seen)
            )  # before its deployment
            publisher.flush()
        taken = 0
        while taken < 2:
            taken += bus.take_in()
        text = text_of(live)
        live.services.close()
        assert 'aiqyn_candidates_taken_total{outcome="accepted"} 1.0' in text
        assert 'aiqyn_candidates_refused_total{reason="not_deployed"} 1.0' in text
        assert "aiqyn_intake_latency_seconds_count 1.0" in text
        assert 'aiqyn_service_part_up{part="bus"} 1.0' in text


class TestProbes:
    def test_a_check_that_hangs_is_said_to_and_runs_once(self) -> None:
        go_on, runs = threading.Event(), []

        def check() -> str:
            runs.append(1)
            go_on.wait(30)
            return "ok"

        probe = Probe("part", check, timeout_seconds=0.05)
        assert [probe.state() for _ in range(5)] == ["hangs"] * 5
        assert len(runs) == 1
        go_on.set()
        wait_until(lambda: probe.state() == "ok")

    def test_checks_wait_together_and_not_one_after_the_other(self) -> None:
        meet = threading.Barrier(3)

        def check() -> str:
            meet.wait(10)
            return "ok"

        found = Probes([Probe(name, check, timeout_seconds=10) for name in "abc"]).states()
        assert found == dict.fromkeys("abc", "ok")

    def test_a_check_that_fails_is_named_and_no_more(self) -> None:
        def check() -> str:
            raise ValueError("postgresql://user:secret@host")

        assert Probe("part", check).state() == "failed (ValueError)"

    def test_a_database_that_is_away_or_of_another_schema_is_seen(self, tmp_path: Path) -> None:
        database = open_database(f"sqlite:///{tmp_path / 'aiqyn.db'}")
        assert database_state(database) == "ok"
        database.close()
        empty = Database(open_engine(f"sqlite:///{tmp_path / 'empty.db'}"))
        assert database_state(empty) == "old schema"
        empty.close()
        gone = Database(open_engine(f"sqlite:///{tmp_path / 'none' / 'x.db'}"))
        assert database_state(gone) == "away"
        gone.close()

    def test_a_full_disk_is_seen(self, tmp_path: Path) -> None:
        assert disk_state([tmp_path, tmp_path / "not-yet"]) == "ok"
        assert disk_state([tmp_path], least_free_bytes=2**62) == "full"

    @pytest.mark.parametrize(
        ("database", "evidence", "folders"),
        [
            ("sqlite:////data/aiqyn.db", "file:///data/my%20evidence", ["/data", "/data/my evidence"]),
            ("postgresql://host/aiqyn", "s3://bucket/evidence", []),
            ("sqlite:///rel/aiqyn.db", "/data/evidence", ["rel", "/data/evidence"]),
        ],
    )
    def test_folders_of_this_machine_are_known(
        self, database: str, evidence: str, folders: list[str]
    ) -> None:
        assert [str(path) for path in local_folders(database, evidence)] == folders

    def test_ready_says_what_is_missing(
        self, seeded: Seeded, clients: Clients, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parts = clients.http.get("/ready").json()["parts"]
        assert {name: parts[name] for name in ("database", "keys", "disk", "bus")} == {
            "database": "ok", "keys": "ok", "disk": "ok", "bus": "not configured",
        }  # fmt: skip
        monkeypatch.setattr(probes.disk_state, "__kwdefaults__", {"least_free_bytes": 2**62})
        seeded.services.keys.folder.chmod(0o755)
        response = clients.http.get("/ready")
        seeded.services.keys.folder.chmod(0o700)
        assert response.status_code == 503
        assert response.json()["parts"] | {"bus": ""} == {
            "database": "ok",
            "keys": "unusable",
            "disk": "full",
            "bus": "",
        }

    def test_a_thread_that_hangs_is_dead_to_health(self, monkeypatch: pytest.MonkeyPatch) -> None:
        go_on = threading.Event()
        begun = threading.Event()

        def job() -> int:
            begun.set()
            go_on.wait(30)
            return 0

        background = Background([BackgroundLoop("part", job, 0.01)])
        background.start()
        assert begun.wait(10)
        assert background.liveness() == {"part": "ok"}
        monkeypatch.setattr("api.background.STALE_AFTER_SECONDS", 0.0)
        assert background.liveness() == background.readiness() == {"part": "stopped"}
        go_on.set()
        background.stop()

    def test_a_redis_that_died_makes_the_service_unready(
        self, tmp_path: Path, redis_server: EmbeddedRedis
    ) -> None:
        live = seed(
            tmp_path / "service",
            redis_url=redis_server.url,
            redis_username="api",
            redis_password=redis_server.password("api"),
        )
        clients = Clients(live)
        assert clients.http.get("/ready").status_code == 200
        redis_server.stop()
        response = clients.http.get("/ready")
        clients.close()
        assert response.status_code == 503
        assert response.json()["parts"]["bus"] in {"away", "hangs"}
