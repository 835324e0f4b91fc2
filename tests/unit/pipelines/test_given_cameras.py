"""`pipelines.given_cameras`: signed for one worker, and no secret goes where the worker does not send it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from aiqyn.embedded.redis import EmbeddedRedis
from api.keys.store import KeyStore
from pipelines.config import CameraSettings, Config
from pipelines.errors import ConfigError, SealingError
from pipelines.given_cameras import (
    MAX_PACKAGE_BYTES,
    CameraSender,
    GivenCamera,
    GivenCameras,
    camera_config,
    read_cameras,
    sign_cameras,
)
from pipelines.live.given_cameras import GivenCameraFollower
from pipelines.live.reloading import LiveSettings
from pipelines.signing import SigningKey
from pipelines.streams import cameras_key
from pipelines.worker_keys import WorkerKeys

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HALL = GivenCamera(source="rtsp://viewer:{hall}@10.1.2.3/a", inference_fps=2)
GIVEN = GivenCameras("w1", NOON, {"w1:hall": HALL})


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    made = KeyStore.init(tmp_path / "keys")
    made.create_worker("w1")
    made.create_worker("w2")
    return made


@pytest.fixture
def keys(store: KeyStore) -> WorkerKeys:
    return WorkerKeys.load(store.folder / "workers" / "w1")


class TestThePackage:
    def test_its_worker_reads_what_was_signed(self, store: KeyStore, keys: WorkerKeys) -> None:
        assert read_cameras(sign_cameras(GIVEN, store.galleries_key()), keys.gallery_signers, "w1") == GIVEN

    def test_another_worker_does_not(self, store: KeyStore, keys: WorkerKeys) -> None:
        with pytest.raises(SealingError, match="another worker's"):
            read_cameras(sign_cameras(GIVEN, store.galleries_key()), keys.gallery_signers, "w2")

    def test_another_signer_is_not_believed(self, keys: WorkerKeys) -> None:
        with pytest.raises(SealingError):
            read_cameras(sign_cameras(GIVEN, keys.candidates), keys.gallery_signers, "w1")
        with pytest.raises(SealingError):
            read_cameras(sign_cameras(GIVEN, SigningKey.generate()), keys.gallery_signers, "w1")

    @pytest.mark.parametrize(
        "change",
        [
            lambda one: one["cameras"]["cameras"]["w1:hall"].update(source="rtsp://10.9.9.9/a"),
            lambda one: one["cameras"].update(worker_id="w2"),
            lambda one: one["cameras"].update(changed_at="2027-01-01T00:00:00Z"),
            lambda one: one["cameras"]["cameras"].clear(),
        ],
    )
    def test_what_was_changed_on_its_way_is_refused(
        self, store: KeyStore, keys: WorkerKeys, change: Any
    ) -> None:
        document = json.loads(sign_cameras(GIVEN, store.galleries_key()))
        change(document)
        with pytest.raises(SealingError):
            read_cameras(
                json.dumps(document).encode(), keys.gallery_signers, document["cameras"]["worker_id"]
            )

    @pytest.mark.parametrize("content", [b"", b"{}", b"[" * 100_000, b"x" * (MAX_PACKAGE_BYTES + 1)])
    def test_what_is_none_is_refused(self, keys: WorkerKeys, content: bytes) -> None:
        with pytest.raises(SealingError):
            read_cameras(content, keys.gallery_signers, "w1")


class TestSecrets:
    @pytest.mark.parametrize(
        ("allowed", "host", "sent"),
        [
            (("10.1.2.3",), "10.1.2.3", True),
            (("10.1.0.0/16",), "10.1.2.3", True),
            (("Cams.Example.org",), "cams.example.org", True),
            (("fd00::/8",), "[fd00::7]", True),
            (("10.1.2.4",), "10.1.2.3", False),
            (("10.2.0.0/16",), "10.1.2.3", False),
            (("example.org",), "cams.example.org", False),
            (("10.1.2.3",), "10.1.2.3.evil.org", False),
            ((), "10.1.2.3", False),
        ],
    )
    def test_one_goes_to_the_hosts_the_worker_names(
        self, allowed: tuple[str, ...], host: str, *, sent: bool
    ) -> None:
        given = GivenCamera(source=f"rtsp://viewer:{{hall}}@{host}/a")
        if sent:
            assert camera_config(given, CameraSettings(), {"hall": allowed}).source == given.source
        else:
            with pytest.raises(ConfigError, match=r"worker\.camera_secrets\.hall"):
                camera_config(given, CameraSettings(), {"hall": allowed})

    @pytest.mark.parametrize("name", ["aiqyn_redis_password", "aiqyn_metrics_token", "s3_key"])
    def test_no_other_secret_of_the_worker_does(self, name: str) -> None:
        for source in (f"http://10.1.2.3/{{{name}}}", f"http://10.1.2.3/?q={{{name}}}"):
            with pytest.raises(ConfigError):
                camera_config(GivenCamera(source=source), CameraSettings(), {"hall": ("10.1.2.3",)})

    def test_what_is_not_given_is_as_the_worker_has_it(self) -> None:
        defaults = CameraSettings(inference_fps=1, allow_local=True, priority=7)
        made = camera_config(HALL, defaults, {"hall": ("10.1.2.3",)})
        assert (made.inference_fps, made.allow_local, made.priority) == (2, True, 7)


class TestTheWorkersSide:
    def follower(self, server: EmbeddedRedis, keys: WorkerKeys, tmp_path: Path) -> GivenCameraFollower:
        redis = server.connect("worker:w1")
        return GivenCameraFollower(redis, keys.gallery_signers, tmp_path / "cameras", "w1")

    def test_it_follows_and_keeps_what_it_took(
        self, redis_server: EmbeddedRedis, store: KeyStore, keys: WorkerKeys, tmp_path: Path
    ) -> None:
        sender = CameraSender(redis_server.connect(), store.galleries_key())
        follower = self.follower(redis_server, keys, tmp_path)
        assert not follower.refresh()
        sender.send(GIVEN)
        assert follower.refresh()
        assert follower.cameras == {"w1:hall": HALL}
        assert not follower.refresh()
        sender.send(replace(GIVEN, changed_at=NOON + timedelta(seconds=1)))
        assert not follower.refresh()  # later, and the same
        redis_server.connect().delete(cameras_key("w1"))
        again = self.follower(redis_server, keys, tmp_path)
        assert again.refresh()
        assert again.cameras == {"w1:hall": HALL}

    def test_what_is_older_or_forged_changes_nothing(
        self, redis_server: EmbeddedRedis, store: KeyStore, keys: WorkerKeys, tmp_path: Path
    ) -> None:
        api = redis_server.connect()
        CameraSender(api, store.galleries_key()).send(GIVEN)
        follower = self.follower(redis_server, keys, tmp_path)
        follower.refresh()
        old = replace(GIVEN, changed_at=NOON - timedelta(seconds=1), cameras={})
        for content in (
            sign_cameras(old, store.galleries_key()),
            sign_cameras(replace(GIVEN, changed_at=NOON + timedelta(days=1), cameras={}), keys.candidates),
            b"nonsense",
        ):
            api.set(cameras_key("w1"), content)
            assert not follower.refresh()
            assert follower.cameras == {"w1:hall": HALL}
        assert not self.follower(redis_server, keys, tmp_path).cameras.keys() - {"w1:hall"}

    def test_what_is_no_text_is_refused_and_replaced(
        self, redis_server: EmbeddedRedis, store: KeyStore, keys: WorkerKeys, tmp_path: Path
    ) -> None:
        """On Redis 6.2 a worker can put another kind of value there; on 7 it cannot."""
        api = redis_server.connect()
        follower = self.follower(redis_server, keys, tmp_path)
        with suppress(NoPermissionError):
            redis_server.connect("worker:w1").hset(cameras_key("w1"), "x", "y")
        assert not follower.refresh()
        CameraSender(api, store.galleries_key()).send(GIVEN)
        assert follower.refresh()

    def test_no_other_worker_reads_or_writes_them(self, redis_server: EmbeddedRedis, store: KeyStore) -> None:
        CameraSender(redis_server.connect(), store.galleries_key()).send(GIVEN)
        key = cameras_key("w1")
        for user in ("worker:w2", "integrator:control-room"):
            client = redis_server.connect(user)
            with pytest.raises(NoPermissionError):
                client.get(key)
            with pytest.raises(NoPermissionError):
                client.set(key, b"x")
        own = redis_server.connect("worker:w1")
        assert own.get(key) is not None
        with pytest.raises(NoPermissionError):
            own.set(key, b"x")


class TestBesideTheFile:
    def settings(self, tmp_path: Path, **cameras: Any) -> LiveSettings:
        config = Config.model_validate(
            {
                "paths": {"data_dir": tmp_path / "data", "keys_dir": tmp_path / "keys"},
                "worker": {"camera_secrets": {"hall": ["10.1.2.3"]}},
                "cameras": cameras,
            }
        )
        return LiveSettings(config, lambda: config)

    def test_they_join_those_of_the_file(self, tmp_path: Path) -> None:
        settings = self.settings(tmp_path, gate={"source": "rtsp://10.0.0.1/"})
        assert settings.give({"w1:hall": HALL}).added == ("w1:hall",)
        assert list(settings.config.cameras) == ["gate", "w1:hall"]
        assert settings.read_again() is not None
        assert list(settings.config.cameras) == ["gate", "w1:hall"]
        assert settings.give({}).removed == ("w1:hall",)

    def test_the_file_wins_and_that_is_told(self, tmp_path: Path) -> None:
        settings = self.settings(tmp_path, gate={"source": "rtsp://10.0.0.1/"})
        settings.give({"gate": HALL})
        assert settings.config.cameras["gate"].source == "rtsp://10.0.0.1/"
        assert settings.note == "the file names cameras that the service gives, too, and wins: gate"

    def test_one_that_may_not_have_its_secret_is_refused_alone(self, tmp_path: Path) -> None:
        settings = self.settings(tmp_path)
        other = GivenCamera(source="rtsp://viewer:{hall}@10.9.9.9/a")
        assert settings.give({"w1:hall": HALL, "w1:odd": other}).added == ("w1:hall",)
        assert "does not send to 10.9.9.9" in settings.refused["w1:odd"]
