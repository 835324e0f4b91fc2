"""Accounts and logins from before they needed a second person, on whichever database."""

from __future__ import annotations

import pytest
from alembic import command
from sqlalchemy import Engine, text

from api.clock import Clock
from api.errors import NotAuthenticatedError
from api.logins import LoginService
from api.passwords import token_digest
from api.review.scopes import WHOLE
from api.store.engine import Database
from api.store.migrate import _config, migrate
from api.store.people import PeopleRepository
from api.store.rights import RightsRepository

BEFORE = "0007"
TOKEN = "a token good for twelve hours"  # of nobody


def assert_old_accounts_keep_their_rights_and_log_in_again(engine: Engine, clock: Clock) -> None:
    """An account of before is on with all rights; its login of before is over."""
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO accounts (account_id, username, role, password_hash, must_change_password, active, "
                "created_at) VALUES ('acc_old', 'old', 'operator', 'x', :no, :yes, '2026-03-01 12:00:00')"
            ),
            {"no": False, "yes": True},
        )
        connection.execute(
            text(
                "INSERT INTO login_sessions (session_id, account_id, token_sha256, created_at, expires_at) VALUES "
                "('ses_old', 'acc_old', :token, '2026-03-01 12:00:00', '2999-03-02 00:00:00')"
            ),
            {"token": token_digest(TOKEN)},
        )
    migrate(engine)
    database = Database(engine)
    with database.read() as session:
        account = PeopleRepository(session).by_id("acc_old")
        assert account is not None
        assert (account.active, account.person_sha256) == (True, None)
        assert RightsRepository(session).scope_of("acc_old") == WHOLE
    with pytest.raises(NotAuthenticatedError) as refusal:
        LoginService(database, clock).authenticate(TOKEN)
    database.close()
    assert refusal.value.code == "login_over"
