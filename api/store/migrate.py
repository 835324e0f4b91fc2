"""Brings a database to the newest schema, or says which one it has."""

from __future__ import annotations

from functools import cache

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine


def migrate(engine: Engine) -> str:
    """Runs every migration that is still missing, in one transaction.

    Returns:
        The revision the database has now.
    """
    newest = newest_revision()
    if current_revision(engine) == newest:
        return newest
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest


@cache
def newest_revision() -> str:
    """The revision this build expects; every migration is read for it, so it is remembered."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("the package carries no migrations")
    return head


def current_revision(engine: Engine) -> str | None:
    """The revision a database has; None when it is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_known(revision: str) -> None:
    """Raises CommandError where this build does not know the revision: a newer one made it."""
    ScriptDirectory.from_config(_config()).get_revision(revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "api.store:migrations")
    config.set_main_option("path_separator", "os")
    return config
