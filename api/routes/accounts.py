"""Accounts: made by one person, approved by another."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from api.accounts import AccountLine, NewAccount
from api.deps import AccountReader, Administrator, Approver, Cursor, IdempotencyKey, Limit, ServicesDep
from api.pagination import read_text_cursor, text_cursor
from api.problems import documented
from api.replays import WriteRequest
from api.routing import api_router
from api.schemas_people import (
    AccountChanged,
    AccountIn,
    AccountMade,
    AccountOut,
    AccountPage,
    ApprovalIn,
    AskedOut,
    OidcSubjectIn,
    ReactivationIn,
    RoleIn,
)

router = api_router("/api/v1/accounts", tags=["accounts"])

AccountId = Annotated[str, Path(max_length=64)]


@router.get("", responses=documented(400, 401, 403))
def list_accounts(
    principal: AccountReader, services: ServicesDep, limit: Limit = 50, cursor: Cursor = None
) -> AccountPage:
    """Accounts by user name."""
    lines = services.accounts.page(principal, read_text_cursor(cursor), limit + 1)
    page = lines[:limit]
    more = len(lines) > limit
    return AccountPage(
        items=[_account_out(line) for line in page],
        next_cursor=text_cursor(page[-1].username) if more else None,
    )


@router.post("", status_code=201, responses=documented(400, 401, 403, 409))
def add_account(
    body: AccountIn, principal: Administrator, services: ServicesDep, key: IdempotencyKey
) -> AccountMade:
    """Makes an account that waits for approval; its one-time password is shown this once."""
    # The person's name goes into no hash that is kept but the salted one.
    document = body.model_dump(mode="json", exclude={"person"})
    request = WriteRequest.of(principal.account_id, key, "POST /accounts", document)
    made = services.accounts.create(principal, NewAccount(body.username, body.role, body.person), request)
    return AccountMade.model_validate(made)


@router.get("/{account_id}", responses=documented(401, 403, 404))
def get_account(account_id: AccountId, principal: AccountReader, services: ServicesDep) -> AccountOut:
    """One account."""
    return _account_out(services.accounts.one(principal, account_id))


@router.post("/{account_id}/approval", responses=documented(400, 401, 403, 404, 409))
def decide_account(
    account_id: AccountId, body: ApprovalIn, principal: Approver, services: ServicesDep, key: IdempotencyKey
) -> AccountChanged:
    """Approves or refuses what is asked for an account; neither who asked nor the account itself can."""
    action = f"POST /accounts/{account_id}/approval"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.approvals.decide(principal, account_id, granted=body.granted, request=request)
    return AccountChanged.model_validate(done)


@router.post("/{account_id}/role", responses=documented(400, 401, 403, 404, 409))
def ask_for_role(
    account_id: AccountId, body: RoleIn, principal: Administrator, services: ServicesDep, key: IdempotencyKey
) -> AccountChanged:
    """Asks for another role; a second person decides, and then the account's logins end."""
    action = f"POST /accounts/{account_id}/role"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.approvals.ask(principal, account_id, body.role, body.reason, request)
    return AccountChanged.model_validate(done)


@router.post("/{account_id}/reactivation", responses=documented(400, 401, 403, 404, 409))
def ask_for_reactivation(
    account_id: AccountId,
    body: ReactivationIn,
    principal: Administrator,
    services: ServicesDep,
    key: IdempotencyKey,
) -> AccountChanged:
    """Asks that an account be switched on again; a second person decides."""
    action = f"POST /accounts/{account_id}/reactivation"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.approvals.ask(principal, account_id, None, body.reason, request)
    return AccountChanged.model_validate(done)


@router.post("/{account_id}/deactivation", responses=documented(400, 401, 403, 404, 409))
def switch_account_off(
    account_id: AccountId, principal: Administrator, services: ServicesDep, key: IdempotencyKey
) -> AccountChanged:
    """Switches an account off at once and ends its logins."""
    request = WriteRequest.of(principal.account_id, key, f"POST /accounts/{account_id}/deactivation", {})
    return AccountChanged.model_validate(services.approvals.switch_off(principal, account_id, request))


@router.put("/{account_id}/oidc-subject", responses=documented(400, 401, 403, 404, 409))
def set_oidc_subject(
    account_id: AccountId,
    body: OidcSubjectIn,
    principal: Administrator,
    services: ServicesDep,
    key: IdempotencyKey,
) -> AccountChanged:
    """Says whose account it is by the identity provider's name for her; the account's logins end."""
    action = f"PUT /accounts/{account_id}/oidc-subject"
    request = WriteRequest.of(principal.account_id, key, action, body.model_dump(mode="json"))
    done = services.approvals.set_oidc_subject(principal, account_id, body.subject, request)
    return AccountChanged.model_validate(done)


@router.delete("/{account_id}/sessions", status_code=204, responses=documented(401, 403, 404))
def end_account_sessions(account_id: AccountId, principal: Administrator, services: ServicesDep) -> None:
    """Ends every login of an account."""
    services.logins.end_all_of(principal, account_id)


@router.delete("/{account_id}/waits", status_code=204, responses=documented(401, 403, 404))
def lift_waits(account_id: AccountId, principal: Administrator, services: ServicesDep) -> None:
    """Ends every wait that failed logins put on an account."""
    services.logins.lift_waits(principal, account_id)


def _account_out(line: AccountLine) -> AccountOut:
    return AccountOut(
        account_id=line.account_id,
        username=line.username,
        role=line.role,
        standing=line.standing,
        oidc_subject=line.oidc_subject,
        asked=None if line.asked is None else AskedOut(kind=line.asked[0], role=line.asked[1]),
    )
