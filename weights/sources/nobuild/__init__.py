"""On `PYTHONPATH` of a package client, so that fetching an sdist runs nothing out of it.

A client asks an sdist's build backend for its metadata even when it only downloads, which means running
the `setup.py` of somebody else's package, and fetching a build system first. The `setuptools` in this
folder answers in that backend's place: with the name and version that were asked for.
"""
