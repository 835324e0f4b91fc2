"""`pipelines.live.metrics`: what a worker counts, summed right, in bounded labels, and nothing about anybody."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.accounting import FrameAccounting
from pipelines.camera_status import Phase
from pipelines.live.camera_metrics import DROP_REASONS, GAP_REASONS, PHASES
from pipelines.live.control import DeathKind
from pipelines.live.counters import DropReason
from pipelines.live.gaps import AWAY
from pipelines.live.messages import GapReason
from pipelines.live.metrics import DEATHS, SpoolState, WorkerMetrics


def values(metrics: WorkerMetrics) -> dict[str, float]:
    """Every sample that is told, by its name and labels as Prometheus writes them."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.registry.text().decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.fixture
def metrics() -> WorkerMetrics:
    return WorkerMetrics()


def accounting(**counts: Any) -> FrameAccounting:
    return FrameAccounting(**counts)


FIRST = accounting(
    read=10, decoded=9, undecodable=1, not_sampled=2, gated=3, inferred=3, dropped={"overtaken": 1}
)
MORE = accounting(
    read=15,
    decoded=14,
    undecodable=1,
    not_sampled=2,
    gated=4,
    inferred=5,
    dropped={"overtaken": 2, "stopped": 1},
)
ANEW = accounting(read=3, decoded=3, inferred=2, dropped={"overtaken": 1})


def fates(told: dict[str, float], camera_id: str = "gate") -> dict[str, float]:
    names = ("undecodable", "not_sampled", "gated", "inferred", "dropped")
    return {name: told[f"aiqyn_frames_total{{camera_id={camera_id},fate={name}}}"] for name in names}


class TestFrames:
    @pytest.mark.parametrize(
        ("told", "read", "inferred", "overtaken"),
        [
            ([FIRST], 10, 3, 1),
            ([FIRST, FIRST], 10, 3, 1),  # told again: counted once
            ([FIRST, MORE], 15, 5, 2),
            ([FIRST, MORE, ANEW], 18, 7, 3),  # opened again: its sum began anew, ours goes on
            ([FIRST, FrameAccounting(), ANEW], 13, 5, 2),
        ],
    )
    def test_running_sums_become_one(
        self, metrics: WorkerMetrics, told: list[FrameAccounting], read: int, inferred: int, overtaken: int
    ) -> None:
        for one in told:
            metrics.frames("gate", one)
        found = values(metrics)
        assert found["aiqyn_frames_read_total{camera_id=gate}"] == read
        assert fates(found)["inferred"] == inferred
        assert found["aiqyn_frames_dropped_total{camera_id=gate,reason=overtaken}"] == overtaken
        assert sum(fates(found).values()) == read

    def test_a_reason_nobody_knows_is_other(self, metrics: WorkerMetrics) -> None:
        metrics.frames("gate", accounting(read=2, dropped={"overtaken": 1, "Jane Doe": 1}))
        found = values(metrics)
        assert found["aiqyn_frames_dropped_total{camera_id=gate,reason=other}"] == 1
        assert "Jane" not in metrics.registry.text().decode()

    def test_every_reason_of_the_design_is_known(self, metrics: WorkerMetrics) -> None:
        metrics.frames("gate", accounting(read=len(DROP_REASONS), dropped=dict.fromkeys(DROP_REASONS, 1)))
        assert not [name for name in values(metrics) if "reason=other" in name]

    def test_words_are_those_the_processes_use(self) -> None:
        assert {reason.value for reason in DropReason} == DROP_REASONS
        assert {*get_args(GapReason), AWAY} == GAP_REASONS
        assert set(get_args(DeathKind)) == DEATHS
        assert {phase.value for phase in Phase} == set(PHASES)

    def test_cameras_do_not_mix(self, metrics: WorkerMetrics) -> None:
        metrics.frames("gate", FIRST)
        metrics.frames("yard", MORE)
        metrics.frames("gate", FIRST)
        assert fates(values(metrics), "gate")["inferred"] == 3
        assert fates(values(metrics), "yard")["inferred"] == 5


def test_a_camera_that_is_configured_no_more_is_forgotten(metrics: WorkerMetrics) -> None:
    metrics.cameras_are({"gate": 5.0, "yard": 2.0})
    for camera_id in ("gate", "yard"):
        metrics.frames(camera_id, FIRST)
        metrics.phase(camera_id, "running")
        metrics.reconnects(camera_id, 3)
        metrics.in_gap(camera_id, lasts=True)
        metrics.gap_grew(camera_id, "stalled", 2.0, new=True)
        metrics.candidates(camera_id, 3, 1)
        metrics.latency(camera_id, 0.4)
        metrics.turns(1, {camera_id: 0.5})
        metrics.last_frame(camera_id, 1e9)
    metrics.cameras_are({"gate": 4.0})
    found = values(metrics)
    assert not [name for name in found if "yard" in name]
    assert found["aiqyn_camera_configured_fps{camera_id=gate}"] == 4.0
    metrics.cameras_are({"gate": 4.0, "yard": 2.0})
    metrics.reconnects("yard", 3)
    metrics.frames("yard", FIRST)
    assert values(metrics)["aiqyn_camera_reconnects_total{camera_id=yard}"] == 3
    assert values(metrics)["aiqyn_frames_read_total{camera_id=yard}"] == 10


def test_a_camera_has_one_phase(metrics: WorkerMetrics) -> None:
    metrics.phase("gate", "running")
    metrics.phase("gate", "retrying")
    phases = {name: value for name, value in values(metrics).items() if "camera_phase" in name}
    assert [name for name, value in phases.items() if value] == [
        "aiqyn_camera_phase{camera_id=gate,phase=retrying}"
    ]


def test_running_sums_kept_elsewhere_are_taken_over(metrics: WorkerMetrics) -> None:
    for total in (2, 2, 5, 1):  # the last: whoever counted began anew
        metrics.reconnects("gate", total)
        metrics.spool(SpoolState(entries=4, size_bytes=900, limit_bytes=1000, refused=total, damaged=total))
        metrics.clock(synchronised=True, uncertainty_seconds=0.01, jumps=total)
    found = values(metrics)
    assert found["aiqyn_camera_reconnects_total{camera_id=gate}"] == 6
    assert found["aiqyn_spool_refused_total"] == 6
    assert found["aiqyn_spool_damaged_total"] == 6
    assert found["aiqyn_clock_jumps_total"] == 6
    assert (found["aiqyn_spool_entries"], found["aiqyn_spool_limit_bytes"]) == (4, 1000)


def test_what_is_not_known_of_the_clock_is_no_number(metrics: WorkerMetrics) -> None:
    metrics.clock(synchronised=None, uncertainty_seconds=None, jumps=0)
    text = metrics.registry.text().decode()
    assert "aiqyn_clock_synchronised NaN" in text
    assert "aiqyn_clock_uncertainty_seconds NaN" in text


def test_gaps_latency_and_models_are_measured(metrics: WorkerMetrics) -> None:
    metrics.in_gap("gate", lasts=True)
    metrics.gap_grew("gate", "stalled", 2.5, new=True)
    metrics.gap_grew("gate", "stalled", 10.0, new=False)
    metrics.latency("gate", 0.4)
    metrics.candidates("gate", 2, 1)
    metrics.candidates("gate", 2, 1)
    metrics.turns(3, {"gate": 0.25})
    metrics.inference("centerface", 0.02, batch_size=4)
    metrics.galleries({"d1": 3})
    metrics.galleries({"d2": 1})
    metrics.replaced("decoder", "signal")
    metrics.replaced("decoder", "whatever it said")
    metrics.evidence(accepting=False, waiting=7, refused=2)
    metrics.bus(reachable=True)
    found = values(metrics)
    assert found["aiqyn_camera_in_gap{camera_id=gate}"] == 1
    assert found["aiqyn_camera_gaps_total{camera_id=gate,reason=stalled}"] == 1
    assert found["aiqyn_camera_gap_seconds_total{camera_id=gate,reason=stalled}"] == 12.5
    assert found["aiqyn_candidates_published_total{camera_id=gate}"] == 2
    assert found["aiqyn_candidates_lost_total{camera_id=gate}"] == 1
    assert found["aiqyn_candidate_latency_seconds_count{camera_id=gate}"] == 1
    assert found["aiqyn_inference_batch_size_sum{model_id=centerface}"] == 4
    assert found["aiqyn_inference_seconds_count{model_id=centerface}"] == 1
    assert (found["aiqyn_inference_waiting"], found["aiqyn_evidence_waiting"]) == (3, 7)
    assert found["aiqyn_camera_turn_wait_seconds_total{camera_id=gate}"] == 0.25
    assert [name for name in found if "gallery_version" in name] == [
        "aiqyn_gallery_version{deployment_id=d2}"
    ]
    assert found["aiqyn_process_replacements_total{process=decoder,why=other}"] == 1
    assert found["aiqyn_evidence_refused_total"] == 2
    assert (found["aiqyn_bus_up"], found["aiqyn_evidence_up"]) == (1, 0)


def test_two_workers_of_one_process_share_nothing() -> None:
    first, second = WorkerMetrics(), WorkerMetrics()
    first.candidates("gate", 0, 1)
    assert "aiqyn_candidates_lost_total{camera_id=gate}" not in values(second)


def test_names_follow_the_conventions(metrics: WorkerMetrics) -> None:
    for metric in metrics.registry.collect():
        assert metric.name.startswith("aiqyn_")
        assert metric.documentation.endswith((".", "epoch."))
        if metric.type == "counter":
            assert not metric.name.endswith("_total")  # the format adds it
    assert "_created" not in metrics.registry.text().decode()
