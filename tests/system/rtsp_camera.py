"""A camera: serves a video file as RTSP, with a user name and password where they are given.

Run by Debian's own Python, which has GStreamer's bindings: `python3 rtsp_camera.py FILE [USER PASSWORD]`.
Writes its port to standard output and serves until it is ended.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions come first

PATH = "/main"
LAUNCH = '( filesrc location="{file}" ! qtdemux ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 )'


def main(arguments: list[str]) -> None:
    """Serves until the process is ended."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LAUNCH.format(file=arguments[0]))
    factory.set_shared(True)
    if len(arguments) > 1:
        require_password(server, factory, *arguments[1:])
    server.get_mount_points().add_factory(PATH, factory)
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def require_password(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str
) -> None:
    """Lets in only who knows both."""
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role("viewer")
    for name in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", name, True)
    factory.set_permissions(permissions)


if __name__ == "__main__":
    main(sys.argv[1:])
