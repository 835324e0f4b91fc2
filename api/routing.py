"""How a room of routes is begun: one way to name operations, whatever application serves them."""

from __future__ import annotations

from enum import Enum

from fastapi import APIRouter
from fastapi.routing import APIRoute


def api_router(prefix: str = "", *, tags: list[str | Enum]) -> APIRouter:
    """A router whose operations are named as their functions are.

    Args:
        prefix: of every path in it.
        tags: what the contract lists them under.
    """
    return APIRouter(prefix=prefix, tags=tags, generate_unique_id_function=_operation_id)


def _operation_id(route: APIRoute) -> str:
    return route.name
