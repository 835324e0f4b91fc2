"""The address of the page: one browsers make passkeys for, or it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.settings import settings_from
from pipelines.config import load_config
from pipelines.config_origin import local_origin
from pipelines.errors import ConfigError


def loaded(folder: Path, origin: str | None, port: int = 8750) -> Path:
    settings = folder / "aiqyn.yaml"
    line = "" if origin is None else f", origin: '{origin}'"
    settings.write_text(f"paths: {{data_dir: data, keys_dir: keys}}\napi: {{port: {port}{line}}}\n", "utf-8")
    return settings


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://aiqyn.example", "https://aiqyn.example"),
        ("https://Aiqyn.Example/", "https://aiqyn.example"),
        ("https://aiqyn.example:443", "https://aiqyn.example"),
        ("https://aiqyn.example:8443", "https://aiqyn.example:8443"),
        ("http://localhost:9000", "http://localhost:9000"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(tmp_path: Path, given: str, kept: str) -> None:
    config = load_config(loaded(tmp_path, given), environment={})
    party = settings_from(config, port=1).party
    assert (config.api.origin, party.origin) == (kept, kept)
    assert party.secure == kept.startswith("https")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("http://aiqyn.example", "https only"),
        ("https://192.0.2.7", "for names"),
        ("http://127.0.0.1:8750", "for names"),
        ("https://[::1]:8750", "for names"),
        ("https://aiqyn.example/console", "scheme, host and port"),
        ("https://me@aiqyn.example", "scheme, host and port"),
        ("aiqyn.example", "scheme, host and port"),
        ("ftp://aiqyn.example", "scheme, host and port"),
        ("https://aiqyn.example:99999", "scheme, host and port"),
        ("https://", "scheme, host and port"),
    ],
)
def test_what_no_browser_makes_passkeys_for_is_refused(tmp_path: Path, given: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(loaded(tmp_path, given), environment={})


def test_without_one_it_is_localhost_and_the_port(tmp_path: Path) -> None:
    config = load_config(loaded(tmp_path, None, port=9001), environment={})
    assert settings_from(config).party.origin == "http://localhost:9001"
    assert settings_from(config, port=9002).party.origin == "http://localhost:9002"
    assert settings_from(config, https=True).party.origin == "https://localhost:9001"
    assert settings_from(config).party.rp_id == "localhost"
    assert local_origin(80, https=False) == "http://localhost"
