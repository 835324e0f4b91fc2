"""`pipelines.acl`: the rules as text; `tests/e2e/test_redis_credentials.py` tests what they do."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from pipelines import streams
from pipelines.acl import AclFile, WorkerAccount, account_of, make_acl_file
from pipelines.errors import SealingError

SIX, SEVEN = (6, 2, 14), (7, 0, 15)
WORKERS = (WorkerAccount("w1", ("gate",)), WorkerAccount("w2"))
EXAMPLES = Path(__file__).parents[3] / "deploy" / "redis"


def make(version: tuple[int, ...]) -> AclFile:
    return make_acl_file(version, workers=WORKERS, integrators=("control-room",))


def line_of(made: AclFile, user: str) -> str:
    (line,) = [line for line in made.text.splitlines() if line.startswith(f"user {user} ")]
    return line


@pytest.mark.parametrize("version", [SIX, SEVEN])
def test_nobody_is_anybody_by_default(version: tuple[int, ...]) -> None:
    first, *others = make(version).text.splitlines()
    assert first.startswith("user default off resetpass sanitize-payload resetchannels -@all +xadd ")
    assert first.endswith(" ~aiqyn:*")
    assert not {"on", "nopass"} & set(first.split())
    for line in others:
        before, _, after = line.partition(" -@all ")
        assert re.fullmatch(r"user \S+ on sanitize-payload #[0-9a-f]{64} resetchannels", before)
        assert "@" not in after
        assert "nopass" not in line
        assert "allkeys" not in line
        assert "~*" not in line.replace("~aiqyn:gallery:*", "")


@pytest.mark.parametrize("version", [SIX, SEVEN])
def test_passwords_stand_there_as_hashes_only(version: tuple[int, ...]) -> None:
    made = make(version)
    for user, password in made.passwords.items():
        assert password not in made.text
        assert hashlib.sha256(password.encode()).hexdigest() in line_of(made, user)
        assert password not in repr(made)
        assert len(password) >= 43  # 256 bits in base64url


def test_each_account_has_a_password_of_its_own() -> None:
    passwords = make(SIX).passwords
    assert (
        len({passwords[user] for user in ("api", "worker:w1", "worker:w2", "integrator:control-room")}) == 4
    )
    assert passwords["worker:w1"] == passwords["worker:w1:jobs"]
    assert account_of("worker:w1:jobs") == "worker:w1"


def test_given_passwords_are_kept() -> None:
    made = make_acl_file(SIX, workers=WORKERS, passwords={"worker:w1": "mine", "api": "too"})
    assert made.passwords["worker:w1:jobs"] == "mine"
    assert made.passwords["api"] == "too"
    assert made.passwords["worker:w2"] not in ("mine", "too")


def test_new_servers_get_selectors_and_keys_that_may_only_be_read() -> None:
    made = make(SEVEN)
    assert set(made.passwords) == {"api", "worker:w1", "worker:w2", "integrator:control-room"}
    assert line_of(made, "integrator:control-room").endswith(
        "-@all +ping (+xread %R~aiqyn:confirmed %R~aiqyn:traffic)"
    )
    assert "(+get +hgetall %R~aiqyn:gallery:*:w1)" in line_of(made, "worker:w1")
    assert "(+xreadgroup +xack ~aiqyn:jobs)" in line_of(made, "worker:w1")


def test_old_servers_get_users_whose_commands_are_harmless_on_all_their_keys() -> None:
    made = make(SIX)
    assert "(" not in made.text
    assert "%" not in made.text
    main = line_of(made, "worker:w1")
    for harmful in (
        "+set",
        "+xreadgroup",
        "+xack",
        "+del",
        "+expire",
        "+xtrim",
        streams.JOBS,
        streams.CONFIRMED,
    ):
        assert harmful not in main.split()
    assert line_of(made, "worker:w1:jobs").endswith("-@all +ping +xreadgroup +xack ~aiqyn:jobs")
    assert line_of(made, "worker:w1:previews").endswith(
        "-@all +ping +set ~aiqyn:preview:w1:* ~aiqyn:preview:gate"
    )


@pytest.mark.parametrize("version", [SIX, SEVEN])
def test_a_worker_speaks_of_its_cameras_and_of_those_that_bear_its_name(version: tuple[int, ...]) -> None:
    made = make(version)
    for worker, cameras in (("w1", {"w1:*", "gate"}), ("w2", {"w2:*"})):
        keys = set(re.findall(r"~(aiqyn:camera\S*?)[\s)]", line_of(made, f"worker:{worker}") + " "))
        assert keys == {f"aiqyn:camera:{camera}" for camera in cameras} | {f"aiqyn:cameras:{worker}"}


def test_what_it_is_given_it_may_only_read() -> None:
    line = line_of(make(SEVEN), "worker:w1")
    (grant,) = [one for one in re.findall(r"\(([^)]*)\)", line) if "aiqyn:cameras:w1" in one]
    assert grant.startswith("+get %R~aiqyn:cameras:w1 ")
    assert "%W" not in grant


def test_no_worker_is_called_like_the_wish_to_see_a_camera() -> None:
    with pytest.raises(SealingError, match="another id"):
        make_acl_file(SEVEN, workers=[WorkerAccount("wanted")])


@pytest.mark.parametrize("name", ["a:b", "*", "a b", "a(", "", "a\nuser x on nopass +@all ~*"])
def test_names_that_would_mean_more(name: str) -> None:
    with pytest.raises(SealingError):
        make_acl_file(SEVEN, workers=[WorkerAccount(name)])
    with pytest.raises(SealingError):
        make_acl_file(SEVEN, integrators=[name])


@pytest.mark.parametrize("camera", ["*", "a b", "a)", "[a]", "a\nb"])
def test_a_camera_is_named_literally(camera: str) -> None:
    with pytest.raises(ValueError, match="camera id"):
        make_acl_file(SEVEN, workers=[WorkerAccount("w1", (camera,))])


@pytest.mark.parametrize("version", [SIX, SEVEN])
def test_no_camera_is_called_like_the_wish_to_see_another(version: tuple[int, ...]) -> None:
    """Its preview would be the key that says somebody looks at `gate`."""
    with pytest.raises(SealingError, match="begins with 'wanted:'"):
        make_acl_file(version, workers=[WorkerAccount("w1", ("wanted:gate",))])


@pytest.mark.parametrize("version", [SIX, SEVEN])
def test_a_worker_reads_what_is_drawn_on_its_own_cameras_only(version: tuple[int, ...]) -> None:
    keys = re.findall(r"~(aiqyn:(?:overlays|preview:wanted)\S*?)[\s)]", make(version).text + " ")
    own = {f"aiqyn:{kind}:{one}" for kind in ("overlays", "preview:wanted") for one in ("gate", "w1:*")}
    others = {"aiqyn:overlays:w2:*", "aiqyn:preview:wanted:w2:*"}
    assert set(keys) == own | others | {"aiqyn:overlays:*", "aiqyn:preview:wanted:*"}  # those of the service
    assert not others & set(re.findall(r"~(\S*?)[\s)]", line_of(make(version), "worker:w1") + " "))
    assert own <= set(re.findall(r"~(\S*?)[\s)]", line_of(make(version), "worker:w1") + " "))
    assert "+set" not in line_of(make(SIX), "worker:w1").split()


@pytest.mark.parametrize(
    ("name", "version"), [("users-6.2.acl.example", SIX), ("users-7.acl.example", SEVEN)]
)
def test_the_examples_are_made_of_the_same_rules(name: str, version: tuple[int, ...]) -> None:
    """Differs after a change of the rules: run `python -m tests.acl_examples`."""
    from tests.acl_examples import example

    assert (EXAMPLES / name).read_text("utf-8") == example(version)
