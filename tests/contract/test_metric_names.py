"""The dashboard, the alerts and the page about metrics name what the code tells, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import Metric

from api.after_watch import NOTHING
from api.clock import Clock
from api.metrics import ServiceMetrics
from api.review.policies import ReviewPolicy
from api.store.engine import Database, open_engine
from pipelines.events import utc_now
from pipelines.live.camera_metrics import DROP_REASONS, GAP_REASONS, PHASES
from pipelines.live.metrics import WorkerMetrics
from tests.contract.project import ROOT

NAME = re.compile(r"(?<![/\w])aiqyn_[a-z0-9_]+\b")
RECORDED = re.compile(r"\baiqyn:[a-z0-9_:]+\b")
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
CONVENTIONS = re.compile(r"^aiqyn(_[a-z][a-z0-9]*)+$")


def told(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Every series name that can be scraped, with its metric."""
    return {metric.name + ending: metric for metric in metrics for ending in ENDINGS.get(metric.type, ("",))}


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Metric]]:
    folder = tmp_path_factory.mktemp("metrics")
    database, clock = Database(open_engine(f"sqlite:///{folder / 'x.db'}")), utc_now
    yield told([*WorkerMetrics().registry.collect(), *service(database, clock).registry.collect()])
    database.close()


def service(database: Database, clock: Clock) -> ServiceMetrics:
    made = ServiceMetrics()
    made.watch(database, lambda: {"part": "ok"}, clock)
    made.watch_owed(lambda: NOTHING, ReviewPolicy(), clock)
    return made


def rule_files() -> dict[str, dict[str, Any]]:
    folder = ROOT / "deploy" / "prometheus"
    return {
        path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted(folder.glob("*.rules.yml"))
    } | {path.name: yaml.safe_load(path.read_text("utf-8")) for path in sorted(folder.glob("*.alerts.yml"))}


def rules() -> list[dict[str, Any]]:
    return [
        rule for document in rule_files().values() for group in document["groups"] for rule in group["rules"]
    ]


def dashboard() -> dict[str, Any]:
    return dict(json.loads((ROOT / "deploy" / "grafana" / "aiqyn.json").read_text("utf-8")))


def queries() -> list[str]:
    """Everything the dashboard and the rules ask Prometheus."""
    board = dashboard()
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [one["query"] for one in board["templating"]["list"] if one["type"] == "query"]
    return asked + [rule["expr"] for rule in rules()]


def unknown(asked: Iterable[str], series: dict[str, Metric]) -> set[str]:
    return {name for query in asked for name in NAME.findall(query)} - set(series)


def test_every_series_that_is_asked_for_exists(series: dict[str, Metric]) -> None:
    assert unknown(queries(), series) == set()


def test_a_series_nobody_tells_would_be_seen(series: dict[str, Metric]) -> None:
    assert unknown(["rate(aiqyn_frames_reed_total[5m])", "aiqyn_bus_up"], series) == {
        "aiqyn_frames_reed_total"
    }


def test_every_recorded_series_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    assert {name for query in queries() for name in RECORDED.findall(query)} <= recorded
    assert all(RECORDED.fullmatch(name) for name in recorded)


def test_the_page_names_every_metric_and_no_other(series: dict[str, Metric]) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    named = set(NAME.findall(page))
    names = {name if metric.type != "histogram" else metric.name for name, metric in series.items()}
    assert named == names


def test_labels_that_are_asked_for_exist(series: dict[str, Metric]) -> None:
    """`fate`, `phase`, `reason` and their words are those of the code."""
    words = {"fate": {"undecodable", "not_sampled", "gated", "inferred", "dropped"}, "phase": set(PHASES)}
    for query in queries():
        for label, values in re.findall(r'(\w+)=~?"([^"$]+)"', query):
            if label in words:
                assert set(values.split("|")) <= words[label], query
    page = (ROOT / "docs" / "live.md").read_text("utf-8")
    assert {word for word in DROP_REASONS | GAP_REASONS if f"`{word}`" not in page} == set()


def test_names_follow_the_conventions(series: dict[str, Metric]) -> None:
    for name, metric in series.items():
        assert CONVENTIONS.match(name), name
        assert metric.documentation.endswith("."), name
        assert (metric.type == "counter") == name.endswith("_total"), name
        assert not re.search(r"_(ms|milliseconds|mb|kb|minutes)(_|$)", name), name


def test_every_alert_says_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) == len({rule["alert"] for rule in alerts})
    for rule in alerts:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "action"}
        assert rule["expr"].count("(") == rule["expr"].count(")")


@pytest.mark.parametrize(
    "wanted",
    [
        "AiqynCameraSilent", "AiqynSpoolFilling", "AiqynEvidenceRefused", "AiqynNoHeartbeat", "AiqynClockOff",
        "AiqynFewerInferredThanConfigured",
    ],
)  # fmt: skip
def test_what_must_be_alerted_is(wanted: str) -> None:
    assert wanted in {rule.get("alert") for rule in rules()}


def test_the_dashboard_can_be_imported() -> None:
    board = dashboard()
    assert (board["title"], board["uid"]) == ("Aiqyn", "aiqyn")
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    boxes = [panel["gridPos"] for panel in board["panels"]]
    assert all(box["x"] + box["w"] <= 24 for box in boxes)
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {"${source}"}


def test_prometheus_loads_the_rules_there_are() -> None:
    settings = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text("utf-8"))
    assert set(settings["rule_files"]) == set(rule_files())
    for job in settings["scrape_configs"]:
        assert job["authorization"]["credentials_file"] == "/run/secrets/aiqyn_metrics_token"
