"""A camera on the network: serves H.264 files over RTSP, paced like live pictures, on a port that stays the same.

Run by Debian's own Python, which has GStreamer's bindings: `python3 rtsp_server.py PORT FILE...`; file number n is served
at `/n`. Writes its port to standard output, then a line `play <unix seconds>` whenever a viewer's pictures begin, and
serves until it is ended.
"""

from __future__ import annotations

import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions come first

LAUNCH = '( filesrc location="{file}" ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )'


def main(arguments: list[str]) -> None:
    """Serves until the process is ended."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=arguments[0])
    for number, file in enumerate(arguments[1:]):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(LAUNCH.format(file=file))
        # Each viewer starts at the file's beginning.
        factory.set_shared(False)
        server.get_mount_points().add_factory(f"/{number}", factory)
    server.connect("client-connected", lambda _, client: client.connect("play-request", _tell_play))
    server.attach(None)
    _say(str(server.get_bound_port()))
    GLib.MainLoop().run()


def _tell_play(*_: object) -> None:
    _say(f"play {time.time():.3f}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
