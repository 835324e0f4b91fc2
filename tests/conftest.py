"""What every test folder shares: which tests run where, and that none vanishes unseen.

- `system` tests are left out unless `-m` asks for them.
- `evaldata` tests skip where `AIQYN_EVAL_DATA` names no folder.
- `models` tests skip where the weights cache lacks what they need: `models("centerface")` names ids,
  bare `models` means all that the default pipeline uses.
- What Hypothesis finds does not depend on how busy the machine is: no draw and no example is too slow.
- With `AIQYN_SKIPS_FAIL` set, a skip is a failure that gives the reason of the skip; only where there is no
  evaluation data at all (the variable is not set) may `evaldata` tests skip, by name.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

EVAL_DATA = "AIQYN_EVAL_DATA"
SKIPS_FAIL = "AIQYN_SKIPS_FAIL"
NO_EVAL_DATA = f"{EVAL_DATA} is not set: no evaluation data here"


@pytest.fixture(scope="session")
def eval_data() -> Path:
    """The folder with the evaluation data; tests that use it are marked `evaldata`."""
    return Path(os.environ[EVAL_DATA])


def pytest_configure() -> None:
    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "system" not in config.option.markexpr:
        left_out = [item for item in items if item.get_closest_marker("system")]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker("system")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("evaldata"):
        folder = os.environ.get(EVAL_DATA)
        if not folder:
            pytest.skip(NO_EVAL_DATA)
        if not Path(folder).is_dir():
            pytest.skip(f"{EVAL_DATA} names {folder}, which is no folder")
    wanted = [marker.args for marker in item.iter_markers("models")]
    if wanted:
        missing = missing_weights(tuple(model_id for ids in wanted for model_id in ids))
        if missing:
            pytest.skip(f"the weights cache lacks {', '.join(missing)}: run `make weights-test`")


@cache
def missing_weights(ids: Iterable[str]) -> tuple[str, ...]:
    """Which of these the cache cannot give, verified; no ids: which of the default pipeline's."""
    from pipelines.config import load_config
    from weights.catalog import load_catalog
    from weights.errors import WeightsError
    from weights.store import WeightStore

    catalog = load_catalog()
    store = WeightStore(load_config(None).paths.weights_dir, catalog)
    missing = []
    for model_id in ids or catalog.default_ids():
        try:
            store.path(model_id)
        except WeightsError:
            missing.append(model_id)
    return tuple(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _fail_instead(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:  # e.g. `importorskip` at the top of a file
        _fail_instead(report)
    return report


def _fail_instead(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if not os.environ.get(SKIPS_FAIL) or NO_EVAL_DATA in reason:
        return
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} was skipped, and with {SKIPS_FAIL} that is a failure. {reason}"


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    """A command run inside a test sets logging up for its own, soon closed, standard error."""
    yield
    structlog.reset_defaults()
