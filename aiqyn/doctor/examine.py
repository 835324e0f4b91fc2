"""All checks in order."""

from __future__ import annotations

from pathlib import Path

from aiqyn.doctor import installation, libraries, machine, templates
from aiqyn.doctor.report import Check, fail, ok
from pipelines.config import Config, load_config
from pipelines.errors import ConfigError
from weights.catalog import load_catalog


def examine(config_path: Path | None) -> tuple[Check, ...]:
    """What this machine and installation have and lack.

    Args:
        config_path: the settings file; None for the defaults.
    """
    settings, config = _settings(config_path)
    return (
        machine.check_python(),
        machine.check_processor(),
        machine.check_memory(),
        machine.check_swap(),
        machine.check_core_dumps(),
        machine.check_clock(),
        libraries.check_inference(),
        libraries.check_opencv(),
        libraries.check_codecs(),
        libraries.check_registry_clients(),
        settings,
        *_installation(config),
    )


def _settings(config_path: Path | None) -> tuple[Check, Config]:
    """The verdict on the settings, and the settings; the defaults where they are wrong."""
    try:
        config = load_config(config_path)
    except ConfigError as error:
        first, *more = str(error).splitlines()
        found = first + (f" (and {len(more)} more)" if more else "")
        fix = "see `aiqyn config check`; the checks below use the defaults"
        return fail("settings", found, fix), Config()
    return ok("settings", str(config_path or "the defaults and the environment")), config


def _installation(config: Config) -> tuple[Check, ...]:
    catalog = load_catalog(config.paths.weights_dir)
    return (
        machine.check_disk("data folder", config.paths.data_dir),
        machine.check_disk("weights folder", config.paths.weights_dir),
        *installation.check_weights(config, catalog),
        installation.check_keys(config.paths.keys_dir),
        installation.check_redis(config, catalog),
        installation.check_database(config),
        templates.check_templates(config, catalog),
        installation.check_port(config),
    )
