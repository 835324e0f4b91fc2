"""Settings: defaults, what is refused and where, and secrets that never show."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.config import Config, config_schema, default_config_path, load_config
from pipelines.errors import ConfigError

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a text as `aiqyn.yaml`, with only the variables given."""

    def run(text: str, **environment: str) -> Config:
        path = tmp_path / "aiqyn.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, environment=environment, secrets_dir=tmp_path / "secrets")

    return run


def test_defaults_need_no_file_and_start_nothing_unsafe() -> None:
    config = load_config(None, environment={})
    assert config.redis.url is None
    assert config.api.host == "127.0.0.1"
    assert (config.api.hold_seconds, config.api.second_judge_share) == (10, 0.3)
    assert config.models.embedder == "mobilefacenet-faceplugin"
    assert config.paths.keys_dir.parent == config.paths.data_dir.parent
    assert not config.paths.keys_dir.is_relative_to(config.paths.data_dir)
    assert config.worker_keys_dir() == config.paths.keys_dir / "workers" / "worker-1"
    assert config.evidence_address() == (config.paths.data_dir / "evidence").as_uri()
    assert config.database_address() == f"sqlite:///{config.paths.data_dir}/aiqyn.db"


def test_loading_creates_and_changes_nothing(load: Load, tmp_path: Path) -> None:
    text = "paths:\n  data_dir: here\napi: {port: 1234}   # kept as it is\n"
    load(text)
    assert [path.name for path in tmp_path.iterdir()] == ["aiqyn.yaml"]
    assert (tmp_path / "aiqyn.yaml").read_text(encoding="utf-8") == text


def test_settings_are_frozen(load: Load) -> None:
    config = load("")
    with pytest.raises(ValidationError):
        config.api.port = 1  # type: ignore[misc]


def test_relative_paths_start_at_the_file(load: Load, tmp_path: Path) -> None:
    config = load("paths: {data_dir: state/data}\ncameras: {gate: {source: clips/a.mp4}}")
    assert config.paths.data_dir == tmp_path / "state/data"
    assert config.paths.keys_dir == tmp_path / "state/keys"
    assert config.cameras["gate"].source == str(tmp_path / "clips/a.mp4")


def test_cameras_start_from_camera_defaults_and_override_them(load: Load) -> None:
    config = load(
        "camera_defaults: {inference_fps: 2}\n"
        "cameras:\n"
        "  gate: {source: rtsp://10.0.0.5/main}\n"
        "  12: {source: rtsp://10.0.0.6/main, inference_fps: 9}\n"
    )
    assert {name: camera.inference_fps for name, camera in config.cameras.items()} == {"gate": 2, "12": 9}


# What is wrong, and what the message must say: the line, the key, and the way out.
REFUSED = [
    pytest.param("apii:\n  port: 1", ":1: apii: unknown key; did you mean 'api'?", id="unknown section"),
    pytest.param("api:\n  prt: 1", ":2: api.prt: unknown key; did you mean 'port'?", id="unknown key"),
    pytest.param(
        "tracking:\n  zzz: 1", ":2: tracking.zzz: unknown key; known here: tracker", id="nothing near"
    ),
    pytest.param("api:\n\n  port: many", ":3: api.port: must be a valid integer", id="wrong type"),
    pytest.param(
        "api:\n  port: 70000", ":2: api.port: must be less than or equal to 65535", id="out of range"
    ),
    pytest.param("api:\n  hold_seconds: .inf", ":2: api.hold_seconds: must be", id="infinite"),
    pytest.param("api:\n  control_share: .nan", ":2: api.control_share: must be", id="not a number"),
    pytest.param(
        "tracking:\n  tracker: sort", ":2: tracking.tracker: must be 'oc-sort' or 'bytetrack'", id="choice"
    ),
    pytest.param(
        "identification:\n  min_looks: 1", ":2: identification.min_looks: must be", id="too few looks"
    ),
    pytest.param("api:\n  processes: 2", ":2: api.processes: more than one process needs", id="sqlite"),
    pytest.param(
        "api:\n  database_url: sqlite:///x.db\n  processes: 2",
        ":3: api.processes: more than one process needs PostgreSQL",
        id="sqlite by name",
    ),
    pytest.param("api: 5", ":1: api: must be a valid dictionary", id="section is a number"),
    pytest.param("cameras:\n  gate: {}", ":2: cameras.gate.source: is missing", id="camera without source"),
    pytest.param(
        "cameras:\n  gate:\n    surce: x\n    source: y", ":3: cameras.gate.surce: unknown", id="camera key"
    ),
    pytest.param(
        "cameras:\n  a b: {source: x}", ":2: cameras.a b: a name may hold letters", id="camera name"
    ),
    pytest.param("redis:\n  url: http://x", ":2: redis.url: must begin with redis://", id="no redis"),
    pytest.param(
        "redis:\n  password: x", ":2: redis.password: set AIQYN_REDIS_PASSWORD", id="password in file"
    ),
    pytest.param("paths: {data_dir: d, keys_dir: d/k}", ":1: paths.keys_dir: lies inside", id="keys in data"),
    pytest.param(
        "paths: {data_dir: d, keys_dir: d/../d}", ":1: paths.keys_dir: lies inside", id="keys are data"
    ),
    pytest.param(
        "paths: {data_dir: d}\nworker: {keys_dir: d/k}", "worker.keys_dir lies inside", id="worker keys"
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refuses_with_the_line_and_a_way_out(load: Load, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert "aiqyn.yaml" in str(caught.value)
    assert message in str(caught.value)


def test_keys_behind_a_link_into_the_data_folder_are_refused(load: Load, tmp_path: Path) -> None:
    (tmp_path / "data/k").mkdir(parents=True)
    (tmp_path / "keys").symlink_to(tmp_path / "data/k")
    with pytest.raises(ConfigError, match="lies inside"):
        load("paths: {data_dir: data, keys_dir: keys}")


def test_postgresql_may_have_several_processes(load: Load) -> None:
    assert load("api: {database_url: 'postgresql:///aiqyn', processes: 3}").api.processes == 3


def test_every_problem_has_its_line(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("api:\n  prt: 1\nworker:\n  intra_op_threads: 0\n")
    lines = sorted(str(caught.value).splitlines())
    assert ["aiqyn.yaml:2:" in lines[0], "aiqyn.yaml:4:" in lines[1], len(lines)] == [True, True, 2]


def test_a_wrong_default_is_told_once_and_not_for_each_camera(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("camera_defaults: {inference_fps: 0, x: 1}\ncameras: {a: {source: x}, b: {source: y}}")
    assert len(str(caught.value).splitlines()) == 2
    assert "cameras." not in str(caught.value)


def test_variables_win_over_the_file(load: Load, tmp_path: Path) -> None:
    config = load(
        "api: {port: 1, host: a}\nmodels: {detector: x}",
        AIQYN_API__PORT="2",
        AIQYN_MODELS__DETECTOR="null",
        AIQYN_WORKER__PROVIDERS="[CPUExecutionProvider]",
        AIQYN_WEIGHTS_DIR=str(tmp_path / "w"),
        AIQYN_EVAL_DATA="/elsewhere",
        PATH="/bin",
    )
    assert (config.api.port, config.api.host, config.models.detector) == (2, "a", None)
    assert config.worker.providers == ("CPUExecutionProvider",)
    assert config.paths.weights_dir == tmp_path / "w"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AIQYN_API__PRT", "1", "AIQYN_API__PRT: there is no setting api.prt"),
        ("AIQYN_CAMERAS__GATE", "x", "there is no setting cameras.gate"),
        ("AIQYN_REDIS__PASSWORD", "x", "there is no setting redis.password"),
        ("AIQYN_API__PORT", "99999", "environment variable AIQYN_API__PORT: api.port: must be"),
        ("AIQYN_API__PORT", "[", "environment variable AIQYN_API__PORT: is not a plain YAML value"),
    ],
)
def test_a_wrong_variable_is_named(load: Load, name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("", **{name: value})
    assert message in str(caught.value)


def test_the_redis_password_comes_from_a_variable_or_a_secret_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/aiqyn_redis_password").write_text("from-file\n", encoding="utf-8")
    by_file, by_variable = load(""), load("", AIQYN_REDIS_PASSWORD="12345")
    assert by_file.redis.password is not None
    assert by_variable.redis.password is not None
    assert by_file.redis.password.get_secret_value() == "from-file"
    assert by_variable.redis.password.get_secret_value() == "12345", "a password of digits stays text"
    assert "from-file" not in repr(by_file)
    assert "from-file" not in by_file.model_dump_json()


SECRET = "hunter2-Ж"


def test_camera_passwords_are_filled_in_only_when_the_address_is_asked_for(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load("cameras: {gate: {source: 'rtsp://viewer:{gate_password}@10.0.0.5/main'}}")
    monkeypatch.setenv("AIQYN_SECRET_GATE_PASSWORD", SECRET)
    assert config.cameras["gate"].address() == "rtsp://viewer:hunter2-%D0%96@10.0.0.5/main"
    assert "hunter2" not in repr(config) + config.model_dump_json()


def test_a_missing_camera_secret_is_named(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load("cameras: {gate: {source: 'rtsp://viewer:{gate_password}@10.0.0.5/main'}}")
    monkeypatch.delenv("AIQYN_SECRET_GATE_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="set AIQYN_SECRET_GATE_PASSWORD or write it to"):
        config.cameras["gate"].address()


@pytest.mark.parametrize(
    "text",
    [
        f"cameras: {{gate: {{source: 'rtsp://viewer:{SECRET}@10.0.0.5/main'}}}}",
        f"cameras: {{gate: {{source: 'http://10.0.0.5/mjpg?user=a&pwd={SECRET}'}}}}",
        f"cameras: {{gate: {{source: ['rtsp://viewer:{SECRET}@10.0.0.5/main']}}}}",
        f"cameras: {{gate: {{sorce: 'rtsp://viewer:{SECRET}@10.0.0.5/main'}}}}",
        f"redis: {{url: 'redis://:{SECRET}@host'}}",
        f"api: {{database_url: 'postgresql+psycopg://aiqyn:{SECRET}@db/aiqyn'}}",
        f"api: {{port: {SECRET}}}",
    ],
)
def test_no_error_repeats_a_secret(load: Load, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    told = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in told


def test_the_settings_file_is_found_by_variable_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_config_path({}) is None
    (tmp_path / "aiqyn.yaml").touch()
    assert default_config_path({}) == Path("aiqyn.yaml")
    assert default_config_path({"AIQYN_CONFIG": "/etc/aiqyn.yaml"}) == Path("/etc/aiqyn.yaml")


def test_the_schema_describes_every_section_and_refuses_the_unknown() -> None:
    schema = config_schema()
    assert set(schema["properties"]) == set(Config.model_fields)
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
