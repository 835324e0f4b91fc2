"""The people of a demo, approved by its own authoriser."""

from __future__ import annotations

from collections.abc import Mapping

from aiqyn.demo.operators import Account
from api.accounts import NewAccount, Principal
from api.review.cases import Role
from api.services import Services

ADMINISTRATOR = "administrator-1"
AUTHORISER = "authoriser-1"


def add_people(services: Services, people: Mapping[str, Role]) -> list[Account]:
    """First accounts in the order of `people`, each approved by an authoriser whose password nobody is told.

    Args:
        services: of a system without accounts.
        people: roles by user name.
    """
    services.accounts.add_first(
        [NewAccount(ADMINISTRATOR, Role.ADMINISTRATOR), NewAccount(AUTHORISER, Role.AUTHORISER)]
    )
    ids = {line.username: line.account_id for line in services.accounts.all()}
    authoriser = Principal(ids[AUTHORISER], AUTHORISER, Role.AUTHORISER, "", must_change_password=False)
    made = []
    for username, role in people.items():
        made.append(Account(username, services.accounts.add(username, role)))
        services.approvals.approve_by_name(username, authoriser)
    return made
