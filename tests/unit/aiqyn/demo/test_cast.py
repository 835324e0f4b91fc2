"""The cast keeps the promises of the demo: who is listed, who appears, who never does."""

from __future__ import annotations

from aiqyn.demo.footage.cast import (
    CAST,
    CONTROL,
    CONTROL_PAIRED_WITH,
    CONTROL_SECONDS,
    photographs,
    picture_ids,
)
from aiqyn.demo.footage.walks import WALKS

_WALKING = {walk.person.person_id for walk in WALKS}
_LISTED = [person for person in CAST if person.subject_id]


def test_list_has_three_entries_each_with_one_reference() -> None:
    assert len({person.subject_id for person in _LISTED}) == len(_LISTED) >= 3
    assert all(person.reference for person in _LISTED)


def test_a_listed_person_appears_by_a_different_photograph() -> None:
    shown = [person for person in _LISTED if person.person_id in _WALKING]
    assert shown
    for person in shown:
        assert person.photograph
        assert person.reference
        assert person.photograph.picture_id != person.reference.picture_id


def test_a_listed_person_never_appears() -> None:
    assert any(person.person_id not in _WALKING for person in _LISTED)


def test_at_least_two_people_in_the_clip_are_on_no_list() -> None:
    bystanders = [p for p in CAST if p.subject_id is None and p.person_id in _WALKING]
    assert len(bystanders) >= 2
    assert all(person.reference is None for person in bystanders)


def test_no_photograph_shows_two_of_the_cast() -> None:
    owners: dict[str, set[str]] = {}
    for person in CAST:
        for photo in (person.photograph, person.reference):
            if photo:
                owners.setdefault(photo.picture_id, set()).add(person.person_id)
    assert all(len(people) == 1 for people in owners.values())


def test_control_is_a_bystander_paired_with_a_listed_person() -> None:
    assert CONTROL.subject_id is None
    assert CONTROL.person_id in _WALKING
    assert CONTROL_PAIRED_WITH.subject_id
    assert CONTROL_PAIRED_WITH.person_id not in _WALKING
    assert any(walk.person == CONTROL and walk.pose_at(CONTROL_SECONDS) for walk in WALKS)


def test_ids_say_nothing_about_names() -> None:
    for person in CAST:
        assert person.person_id.startswith("person-")
        assert person.subject_id is None or person.subject_id.startswith("sample-person-")


def test_landmarks_lie_in_their_face() -> None:
    for photo in photographs():
        x0, y0, x1, y1 = photo.face_xyxy
        assert all(x0 < x < x1 and y0 < y < y1 for x, y in photo.landmarks), photo.picture_id


def test_picture_ids_are_the_photographs_once_each() -> None:
    assert len(set(picture_ids())) == len(picture_ids()) == len(photographs())
