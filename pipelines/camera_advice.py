"""Settings that are valid and will disappoint: said by `config check` and `work`, a line for each."""

from __future__ import annotations

from pipelines.config import Config
from pipelines.face_tracks import FaceTrackOptions
from vision.identify.calibration import Calibration

_LONGEST_LIST = 1_000_000


def advise(config: Config, calibration: Calibration | None) -> tuple[str, ...]:
    """What to say about the cameras of these settings; nothing where all is well.

    A camera whose frames are further apart than a face track's memory never joins two looks of one person: each
    stands alone, and one look decides only where the measurement supports a rate ten times stricter.

    Args:
        config: valid settings.
        calibration: of the embedder; None where it cannot be read, which whoever needs it says.
    """
    memory_seconds = FaceTrackOptions().forget_after_seconds
    slow = [
        (camera_id, camera)
        for camera_id, camera in config.cameras.items()
        if 1 / camera.inference_fps >= memory_seconds
    ]
    lines = []
    for camera_id, camera in slow:
        rate = config.identification.false_alerts_per_1000_faces
        rate = min(rate, camera.false_alerts_per_1000_faces or rate)
        decides = "" if calibration is None else f", and one look {_decides_for(calibration, rate)}"
        lines.append(
            f"camera {camera_id}: inference_fps is {camera.inference_fps:g}, but a face is forgotten after "
            f"{memory_seconds:g} s: every look at it stands alone{decides}; set more than {1 / memory_seconds:g}"
        )
    return tuple(lines)


def _decides_for(calibration: Calibration, false_alerts_per_1000_faces: float) -> str:
    most = longest_list_for_one_look(calibration, false_alerts_per_1000_faces)
    if most == 0:
        return "decides for no list at all"
    return f"decides for lists of up to {most} {'pictures' if most > 1 else 'picture'} only"


def longest_list_for_one_look(calibration: Calibration, false_alerts_per_1000_faces: float) -> int:
    """References a list may have at most for one look to decide; 0 where it never does.

    Args:
        calibration: of the embedder.
        false_alerts_per_1000_faces: wanted rate.
    """

    def decides(templates: int) -> bool:
        point = calibration.operating_point(
            gallery_templates=templates,
            gallery_subjects=templates,
            false_alerts_per_1000_faces=false_alerts_per_1000_faces,
        )
        return point.single_look_threshold is not None

    enough, too_many = 0, 1
    while too_many <= _LONGEST_LIST and decides(too_many):
        enough, too_many = too_many, 2 * too_many
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        enough, too_many = (middle, too_many) if decides(middle) else (enough, middle)
    return enough
