"""Rights by list and camera: what they cover, and which would tell an operator too much."""

from __future__ import annotations

import pytest

from api.review.cases import Role
from api.review.errors import RecordError
from api.review.scopes import NOTHING, WHOLE, Right, Scope, check_scope

GATE, HALL = frozenset({"gate"}), frozenset({"hall"})


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (WHOLE, {("a", "gate"), ("a", "hall"), ("b", "gate"), ("b", "hall")}),
        (NOTHING, set()),
        (Scope((Right("a"),)), {("a", "gate"), ("a", "hall")}),
        (Scope((Right(None, GATE),)), {("a", "gate"), ("b", "gate")}),
        # two rights cover no more than each of them
        (Scope((Right("a", GATE), Right("b", HALL))), {("a", "gate"), ("b", "hall")}),
        # a group without cameras is not every camera
        (Scope((Right(None, frozenset()),)), set()),
    ],
)
def test_what_is_covered(scope: Scope, covered: set[tuple[str, str]]) -> None:
    pairs = [(watchlist, camera) for watchlist in "ab" for camera in ("gate", "hall")]
    assert {pair for pair in pairs if scope.allows(*pair)} == covered
    assert {camera for _, camera in pairs if scope.allows_camera(camera)} == {camera for _, camera in covered}
    assert scope.is_whole == (scope is WHOLE)


def test_a_deployment_is_covered_with_all_its_cameras_or_not() -> None:
    scope = Scope((Right("a", GATE | HALL), Right("b", GATE)))
    assert scope.allows_deployment("a", ["gate", "hall"])
    assert not scope.allows_deployment("b", ["gate", "hall"])


@pytest.mark.parametrize(
    ("rights", "tells"),
    [
        ([], False),
        ([Right()], False),
        ([Right(None, GATE)], False),
        ([Right("a")], True),
        ([Right("a"), Right("b")], False),
        ([Right("a", GATE), Right("b", HALL)], True),
        ([Right("a", GATE), Right("b", GATE), Right("a", HALL)], True),
        ([Right("a", GATE), Right(None, HALL)], True),
        ([Right("a"), Right("b", GATE)], True),
    ],
)
def test_an_operators_rights_do_not_tell_her_the_list(rights: list[Right], tells: bool) -> None:
    scope = Scope(tuple(rights))
    check_scope(Role.SUPERVISOR, scope)
    if not tells:
        check_scope(Role.OPERATOR, scope)
        return
    with pytest.raises(RecordError, match="one list alone"):
        check_scope(Role.OPERATOR, scope)
