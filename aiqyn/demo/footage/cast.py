"""Who is in the clip, who is on its list, and on which photographs: facts about files, measured once.

Boxes and landmarks were read off the photographs with CenterFace, in pixels of the file the catalogue names;
its hash pins them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
Point: TypeAlias = tuple[float, float]
Landmarks: TypeAlias = tuple[Point, Point, Point, Point, Point]


@dataclass(frozen=True, slots=True)
class Photograph:
    """One photograph of the catalogue and where the face in it is.

    Attributes:
        picture_id: the catalogue's id; in a folder of pictures, the file's name without its suffix.
        face_xyxy: pixels of the photograph.
        landmarks: five points, pixels of the photograph, in the order of `vision.types.Faces`.
        brightness: factor that brings the face to the light of the hall.
        background_xyxy: places that are surely not the person, where the colours alone would mislead.
    """

    picture_id: str
    face_xyxy: Box
    landmarks: Landmarks
    brightness: float = 1.0
    background_xyxy: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """One depicted person.

    Attributes:
        person_id: in the ground truth; says nothing about a list.
        photograph: as which the person walks through the clip; None for those who never appear.
        subject_id: the entry of the list, which is also the name of its folder; None for bystanders.
        reference: the photograph on the list, never the one in the clip; None for bystanders.
    """

    person_id: str
    photograph: Photograph | None = None
    subject_id: str | None = None
    reference: Photograph | None = None


STANDING = Photograph(
    "photo-barack-obama-2010",
    (643.6, 249.5, 912.8, 611.5),
    ((737.7, 371.6), (868.8, 385.1), (809.6, 447.4), (734.6, 504.9), (843.6, 516.5)),
    brightness=1.25,
    background_xyxy=((918.0, 590.0, 1010.0, 668.0), (935.0, 668.0, 1010.0, 700.0)),
)
OFFICIAL = Photograph(
    "photo-barack-obama-2012",
    (367.9, 85.5, 619.3, 433.5),
    ((435.0, 214.8), (560.3, 209.8), (500.9, 274.2), (441.9, 335.4), (550.3, 330.9)),
)
BLUE_ROOM = Photograph(
    "photo-joe-biden-2010",
    (429.8, 161.3, 716.9, 569.2),
    ((532.5, 318.9), (662.4, 340.8), (595.3, 409.7), (516.6, 460.4), (625.1, 478.3)),
    brightness=1.1,
)
ASTRONAUT = Photograph(
    "photo-eileen-collins",
    (180.1, 57.7, 270.7, 176.1),
    ((202.7, 101.9), (249.1, 102.3), (225.6, 124.5), (204.4, 143.8), (243.6, 144.0)),
)
COMMODORE = Photograph(
    "photo-grace-hopper-1984",
    (171.3, 126.1, 351.4, 342.6),
    ((219.8, 200.5), (302.8, 193.2), (264.4, 240.0), (231.7, 283.0), (300.6, 276.8)),
)
LAWN = Photograph(
    "photo-katherine-maher",
    (283.5, 123.9, 501.5, 413.1),
    ((320.9, 241.5), (425.0, 234.7), (363.0, 293.3), (332.0, 337.7), (422.6, 330.9)),
    brightness=0.9,
)
BAMBOO = Photograph(
    "photo-filippo-giunchedi-2015",
    (320.7, 87.0, 484.6, 288.6),
    ((366.7, 163.6), (444.0, 171.1), (400.0, 208.9), (365.3, 235.8), (429.2, 241.7)),
    brightness=0.92,
)
PLANKS = Photograph(
    "photo-guido-van-rossum-2014",
    (249.8, 100.5, 485.0, 418.0),
    ((281.1, 227.8), (380.1, 230.9), (299.8, 290.3), (282.8, 337.8), (367.1, 338.5)),
    brightness=0.9,
)

FOUND = Person("person-1", STANDING, "sample-person-1", OFFICIAL)
ABSENT = Person("person-2", None, "sample-person-2", COMMODORE)
RESEMBLED = Person("person-3", None, "sample-person-3", ASTRONAUT)
BYSTANDER_TIE = Person("person-4", BLUE_ROOM)
BYSTANDER_LAWN = Person("person-5", LAWN)
BYSTANDER_BEARD = Person("person-6", BAMBOO)
BYSTANDER_GLASSES = Person("person-7", PLANKS)

CAST: tuple[Person, ...] = (
    FOUND,
    ABSENT,
    RESEMBLED,
    BYSTANDER_TIE,
    BYSTANDER_LAWN,
    BYSTANDER_BEARD,
    BYSTANDER_GLASSES,
)

CONTROL = BYSTANDER_LAWN
"""Whose face the control shows: known not to be `CONTROL_PAIRED_WITH`, and near enough to need a look."""

CONTROL_PAIRED_WITH = RESEMBLED
CONTROL_SECONDS = 11.2
"""When the control's picture is taken: she stands still, in focus and in full view."""


def photographs() -> tuple[Photograph, ...]:
    """Every photograph the clip or its list needs, each once."""
    shown = [photo for person in CAST for photo in (person.photograph, person.reference) if photo]
    return tuple(dict.fromkeys(shown))


def picture_ids() -> tuple[str, ...]:
    """The catalogue's ids of `photographs`: what has to be pulled."""
    return tuple(photo.picture_id for photo in photographs())
