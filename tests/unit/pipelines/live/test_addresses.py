"""Where a camera's address may lead: to cameras, and never back into the machine or its cloud."""

from __future__ import annotations

import re
import socket
import threading
import time

import pytest

from pipelines.errors import AddressError
from pipelines.live.addresses import CheckedAddress, check_address, open_checked
from tests.builders import plain
from tests.camera_servers import camera_server, head_of, request_of
from vision.images import encode_jpeg
from vision.sources import SourceOptions


def refused(url: str, *answers: str, allow_local: bool = False) -> str:
    """The line with which an address is refused; its name leads to these answers."""
    resolve = (lambda _: list(answers)) if answers else None
    with pytest.raises(AddressError) as caught:
        check_address(url, allow_local=allow_local, resolve=resolve)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    "answer", ["10.0.0.7", "192.168.1.20", "172.16.0.9", "fd12:3456::7", "203.0.113.9", "2001:db8:5::9"]
)
def test_local_networks_and_the_internet_are_where_cameras_live(answer: str) -> None:
    checked = check_address("rtsp://u:s3cret@gate/live", allow_local=False, resolve=lambda _: [answer])
    assert (checked.ips, checked.connect_to) == ((answer,), answer)
    assert "s3cret" not in repr(checked)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param("127.0.0.1", "this machine", id="loopback"),
        pytest.param("127.8.9.10", "this machine", id="all of 127/8"),
        pytest.param("::1", "this machine", id="IPv6 loopback"),
        pytest.param("::ffff:127.0.0.1", "this machine", id="IPv4-mapped"),
        pytest.param("::127.0.0.1", "this machine", id="IPv4-compatible"),
        pytest.param("64:ff9b::7f00:1", "this machine", id="NAT64"),
        pytest.param("64:ff9b:1::7f00:1", "this machine", id="NAT64 of the network"),
        pytest.param("2002:7f00:1::", "this machine", id="6to4"),
        pytest.param("169.254.10.20", "link alone", id="link-local"),
        pytest.param("fe80::1", "link alone", id="IPv6 link-local"),
        pytest.param("fe80::1%lo", "link alone", id="with its zone"),
        pytest.param("::ffff:169.254.10.20", "link alone", id="mapped link-local"),
        pytest.param("169.254.169.254", "metadata", id="metadata"),
        pytest.param("::ffff:169.254.169.254", "metadata", id="mapped metadata"),
        pytest.param("64:ff9b::a9fe:a9fe", "metadata", id="metadata behind NAT64"),
        pytest.param("fd00:ec2::254", "metadata", id="IPv6 metadata"),
        pytest.param("100.100.100.200", "metadata", id="another cloud"),
        pytest.param("168.63.129.16", "metadata", id="a third"),
        pytest.param("0.0.0.0", "no host", id="unspecified"),  # noqa: S104
        pytest.param("0.1.2.3", "no host", id="this network"),
        pytest.param("::", "no host", id="IPv6 unspecified"),
        pytest.param("224.0.0.251", "no host", id="multicast"),
        pytest.param("ff02::1", "no host", id="IPv6 multicast"),
        pytest.param("255.255.255.255", "no host", id="broadcast"),
        pytest.param("240.0.0.1", "no host", id="reserved"),
    ],
)
def test_what_leads_back_inside_is_refused_whatever_the_name(answer: str, reason: str) -> None:
    assert reason in refused("rtsp://gate.example/live", answer)


@pytest.mark.parametrize("answer", ["127.0.0.1", "::1", "169.254.10.20", "fe80::1"])
def test_local_ones_can_be_allowed(answer: str) -> None:
    assert check_address("http://gate/", allow_local=True, resolve=lambda _: [answer]).connect_to == answer


@pytest.mark.parametrize(
    "answer",
    ["169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1", "::"],  # noqa: S104
)
def test_some_are_never_allowed(answer: str) -> None:
    refused("http://gate/", answer, allow_local=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0x7f.1",
        "[::1]",
        "[::ffff:7f00:1]",
        "localhost",
    ],
)
def test_every_way_to_write_it_is_seen_through(host: str) -> None:
    """Through the system's own resolver, which is what FFmpeg asks, too."""
    assert "this machine" in refused(f"http://{host}:8080/")


def test_the_machines_own_address_is_itself_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; tells which interface would
        except OSError:
            pytest.skip("this machine has no route")
        own = str(probe.getsockname()[0])
    assert "this machine" in refused(f"rtsp://{own}/live")


def test_one_bad_answer_of_several_is_enough() -> None:
    assert "169.254.169.254" in refused("http://gate/", "10.0.0.7", "169.254.169.254")


def test_what_was_checked_is_what_is_connected_to() -> None:
    answers = [["10.0.0.7"], ["127.0.0.1"]]
    checked = check_address("http://gate/", allow_local=False, resolve=lambda _: answers.pop(0))
    assert checked.connect_to == "10.0.0.7"
    assert len(answers) == 1


def test_several_answers_prefer_the_older_protocol_and_tls_keeps_its_name() -> None:
    def resolve(_: str) -> list[str]:
        return ["fd12::7", "10.0.0.7", "10.0.0.7"]

    checked = check_address("rtsp://gate/", allow_local=False, resolve=resolve)
    assert (checked.ips, checked.connect_to) == (("10.0.0.7", "fd12::7"), "10.0.0.7")
    assert check_address("https://gate/", allow_local=False, resolve=resolve).connect_to is None


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "start with one of rtsp"),
        ("concat:a|b", "start with one of rtsp"),
        ("/etc/passwd", "start with one of rtsp"),
        ("tcp://10.0.0.7:80", "start with one of rtsp"),
        ("gopher://10.0.0.7", "start with one of rtsp"),
        ("rtsp:///live", "names no host"),
        ("rtsp://u:s3cret@/live", "names no host"),
        ("http://10.0.0.7:port/", "not a valid address|names no host"),
        ("http://10.0.0.7:99999/", "not a valid address"),
        ("http://[::1/", "not a valid address"),
        ("http://10.0.0.7\\@127.0.0.1/", "backslashes"),
        ("http://10.0.0.7\t/", "control characters"),
        ("http://127.0.0.1\n.example/", "control characters"),
        ("http://[10.0.0.7]x/", "names no host|not a valid"),
    ],
)
def test_what_is_no_address_of_a_camera(url: str, reason: str) -> None:
    told = refused(url, "10.0.0.7")
    assert re.search(reason, told)
    assert "s3cret" not in told


def test_a_name_nobody_knows() -> None:
    def unknown(_: str) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(AddressError, match=r"^rtsp://\*\*\*@gate/x: its name is not known$"):
        check_address("rtsp://u:s3cret@gate/x", allow_local=False, resolve=unknown)


def test_a_resolver_that_hangs_is_given_up_in_time() -> None:
    answer = threading.Event()

    def hang(_: str) -> list[str]:
        answer.wait(30)
        return ["10.0.0.7"]

    began = time.monotonic()
    try:
        with pytest.raises(AddressError, match=r"gate/: its name was not resolved within 0\.2 s"):
            check_address("rtsp://gate/", allow_local=False, timeout_seconds=0.2, resolve=hang)
        assert time.monotonic() - began < 20
    finally:
        answer.set()


def endless(connection: socket.socket, stop: threading.Event) -> None:
    """A camera of JPEGs."""
    request_of(connection)
    connection.sendall(head_of("200 OK", "Content-Type: multipart/x-mixed-replace; boundary=b"))
    jpeg = encode_jpeg(plain())
    part = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode() + jpeg + b"\r\n"
    while not stop.wait(0.02):
        connection.sendall(part)


def test_what_was_checked_is_opened_under_its_own_name() -> None:
    heads: list[bytes] = []

    def camera(connection: socket.socket, stop: threading.Event) -> None:
        heads.append(connection.recv(4096, socket.MSG_PEEK))
        endless(connection, stop)

    with camera_server(camera) as server:
        url = f"http://viewer:s3cret@gate.example:{server.port}/live?x=1"
        checked = check_address(url, allow_local=True, resolve=lambda _: ["127.0.0.1"])
        with open_checked(checked, SourceOptions()) as source:
            next(iter(source))
            assert source.location == f"http://***@gate.example:{server.port}/live?***"
    assert f"Host: gate.example:{server.port}\r\n".encode() in heads[0]
    assert heads[0].startswith(b"GET /live?x=1 ")


def test_a_connection_that_leads_elsewhere_is_closed() -> None:
    with camera_server(endless) as server:
        checked = CheckedAddress(server.url(), ("10.0.0.7",), None)
        with pytest.raises(AddressError, match=r"leads on to 127\.0\.0\.1, which is not followed"):
            open_checked(checked, SourceOptions())
