"""Who may judge which candidate."""

from __future__ import annotations

from datetime import datetime

from api.review.cases import Case, Involvement, Judge, Role, shared_means
from api.review.errors import AlreadyJudgedError, NotEntitledError, TooSoonError
from api.review.policies import ReviewPolicy


def check_role(role: Role) -> None:
    """Lets operators through.

    Raises:
        NotEntitledError: any other role; an administrator or supervisor cannot be a judge.
    """
    if role is not Role.OPERATOR:
        raise NotEntitledError("role", f"an account with the role {role.value} cannot judge")


def check_uninvolved(judge: Judge, involvement: Involvement) -> None:
    """Lets those through who had no part in the entry and were told nothing.

    Raises:
        NotEntitledError: name, list or score were shown to this account, it requested or authorised the
            entry or the deployment, or it has answered the same pictures before they were looked at again.
    """
    if judge.account_id in involvement.responsible:
        raise NotEntitledError("responsible", "this account had a part in the entry or its deployment")
    if judge.account_id in involvement.disclosed_to:
        raise NotEntitledError("disclosed", "this account has been told what a judge must not know")
    if judge.account_id in involvement.judged_before:
        raise NotEntitledError("judged_before", "this account has judged these pictures before")


def check_looked(opened_at: datetime | None, now: datetime, policy: ReviewPolicy) -> None:
    """Lets through who had the review in front of her for as long as looking takes; the same for all.

    Args:
        opened_at: when it was first shown to her; None: never.
        now: aware, UTC.
        policy: says how long.

    Raises:
        TooSoonError: she cannot have looked.
    """
    if policy.minimum_look and (opened_at is None or now < opened_at + policy.minimum_look):
        shown_for = (now - opened_at).total_seconds() if opened_at else 0.0
        raise TooSoonError(policy.minimum_look.total_seconds() - shown_for)


def check_first_answer(case: Case, judge: Judge) -> None:
    """Lets those through who have not answered this case yet.

    Raises:
        AlreadyJudgedError: the account, or the session, has, in this round or an earlier one.
    """
    for earlier in case.judgements:
        if judge.account_id == earlier.account_id or judge.session_id == earlier.session_id:
            raise AlreadyJudgedError("this account has already judged this candidate")


def check_apart(case: Case, judge: Judge) -> None:
    """Lets those through whose passkey and browser have not been used for this case.

    Nothing is said about who used them, when, or for what answer. The physical machine does not count.

    Raises:
        NotEntitledError: they have, in this round or an earlier one.
    """
    for earlier in case.judgements:
        shared = shared_means(judge, earlier)
        if shared is not None:
            raise NotEntitledError(f"same_{shared}", _SHARED[shared])


_SHARED = {
    "authenticator": "this passkey has been used for this candidate",
    "device": "this browser has been used for this candidate: work in one of your own",
}


def check_may_judge(case: Case, judge: Judge, involvement: Involvement) -> None:
    """All of the above, in the order in which the reasons should be told.

    Raises:
        NotEntitledError: see `check_role`, `check_uninvolved`, `check_apart`.
        AlreadyJudgedError: see `check_first_answer`.
    """
    check_role(judge.role)
    check_first_answer(case, judge)
    check_uninvolved(judge, involvement)
    check_apart(case, judge)
