"""Everything a demo needs before it starts, in one folder: keys, accounts, list, deployment, control, settings."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import yaml

from aiqyn.demo.footage import ControlSample, Footage
from aiqyn.demo.operators import LOOK_SECONDS, Account
from aiqyn.demo.people import add_people
from aiqyn.embedded.stack import free_port
from aiqyn.enrolment import Enrolled, ListTerms, enrol_list
from aiqyn.errors import DemoError
from api.controls import ControlInput
from api.keys.store import KeyStore
from api.review.cases import Role, Truth
from api.services import Services, build_services
from api.settings import settings_from
from pipelines.accounting import FrameAccounting
from pipelines.build import Perception, PerceptionOptions, build_perception
from pipelines.config import Config, IdentificationConfig, load_config
from pipelines.pictures import shown_pictures
from pipelines.recipes import TemplateRecipe
from weights.store import WeightStore

INTEGRATOR = "demo"
CAMERA = "hall"
DEPLOYMENT = "demo"
WATCHLIST = "Missing persons (demo)"
PURPOSE = "demonstration: find people of a list made of sample photographs"
REQUESTED_BY = "demo requester"
AUTHORISED_BY = "demo authoriser"
OPERATORS = ("operator-1", "operator-2")
SUPERVISOR = "supervisor-1"
INFERENCE_FPS = 5.0
_DEFAULT_PORT = 8750
_VALID_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A folder ready to run.

    Attributes:
        config: as written to `config_path`.
        config_path: the settings file of all processes.
        weights: the verified models.
        references: the list's pictures, one folder per person.
        operators: two first accounts, their one-time passwords not used yet.
        supervisor: another.
    """

    config: Config
    config_path: Path
    weights: WeightStore
    references: Path
    operators: tuple[Account, ...]
    supervisor: Account


@dataclass(frozen=True, slots=True)
class Material:
    """What is analysed, and for whom it is searched.

    Attributes:
        source: a file or an address of a camera.
        references: one folder per person.
        footage: the sample footage, where it is that; None for the user's own.
        inference_fps: frames per second the models see.
    """

    source: str
    references: Path
    footage: Footage | None = None
    inference_fps: float = INFERENCE_FPS


def prepare(root: Path, material: Material, weights: WeightStore, *, hold_seconds: float) -> Prepared:
    """Sets a folder up from nothing.

    Args:
        root: an empty folder; gets `data`, `keys` and `aiqyn.yaml`.
        material: what is analysed, and for whom it is searched.
        weights: with the models of the default pipeline pulled.
        hold_seconds: between the second answer and the receipt.

    Raises:
        DemoError: no reference picture can be used.
        PipelineError, WeightsError, VisionError: as their messages say.
    """
    config_path = _write_config(root, material, weights, hold_seconds)
    config = load_config(config_path, environment={})
    keys = KeyStore.init(config.paths.keys_dir, data_dir=config.paths.data_dir)
    keys.create_worker(config.worker.id)
    perception = build_perception(weights, PerceptionOptions.of(config))
    # Without bus and threads: the service that is started later hands the gallery out.
    services = build_services(replace(settings_from(config), redis_url=None, run_background=False))
    try:
        *operators, supervisor = add_people(
            services, dict.fromkeys(OPERATORS, Role.OPERATOR) | {SUPERVISOR: Role.SUPERVISOR}
        )
        enrolled = enrol_list(services, perception, material.references, _terms())
        for report in enrolled.refused:
            raise DemoError(report.message)
        if material.footage is not None:
            _add_control(services, perception, material.footage.control, enrolled)
    finally:
        services.close()
    return Prepared(config, config_path, weights, material.references, tuple(operators), supervisor)


def _write_config(root: Path, material: Material, weights: WeightStore, hold_seconds: float) -> Path:
    now = datetime.now(UTC).replace(microsecond=0)
    sample = material.footage is not None
    settings = {
        "paths": {
            "data_dir": str(root / "data"),
            "keys_dir": str(root / "keys"),
            "weights_dir": str(weights.root),
        },
        "cameras": {
            CAMERA: {
                "source": material.source,
                "inference_fps": material.inference_fps,
                # Whoever tries the demo names the address, often of a camera played on this very machine.
                "allow_local": True,
                **({"recorded_at": now.isoformat()} if sample else {}),
            }
        },
        "api": {
            "port": free_port(_DEFAULT_PORT),
            "hold_seconds": hold_seconds,
            "minimum_look_seconds": LOOK_SECONDS,
            "control_share": 0.0,
            "control_first": sample,
            "control_spread_seconds": 3.0,
        },
    }
    root.mkdir(parents=True, exist_ok=True)
    path = root / "aiqyn.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def _terms() -> ListTerms:
    now = datetime.now(UTC)
    return ListTerms(
        watchlist=WATCHLIST,
        purpose=PURPOSE,
        deployment_id=f"{DEPLOYMENT}-{secrets.token_hex(3)}",
        cameras=frozenset({CAMERA}),
        active_from=now - timedelta(minutes=5),
        active_until=now + _VALID_FOR,
        requested_by=REQUESTED_BY,
        authorised_by=AUTHORISED_BY,
        legal_basis="demonstration on sample photographs; no person is searched for",
        case_reference="demo",
        image_source="photographs named in docs/demo-footage.md",
    )


def _add_control(
    services: Services, perception: Perception, sample: ControlSample, enrolled: Enrolled
) -> None:
    """Keeps the known non-match, with the pictures and figures a worker would give it."""
    subject_id = enrolled.subject_ids[sample.subject_id]
    landmarks = np.asarray(sample.landmarks, dtype=np.float32)
    probe = perception.embedder.embed(sample.image, landmarks[None])
    recipe = TemplateRecipe.of(perception.models, perception.preprocessing)
    listed = services.records.gallery_subjects(enrolled.watchlist_id, recipe.sha256)
    own = next(subject.templates for subject in listed if subject.subject_id == subject_id)
    point = perception.calibration.operating_point(
        gallery_templates=sum(len(subject.templates) for subject in listed),
        gallery_subjects=len(listed),
        false_alerts_per_1000_faces=IdentificationConfig().false_alerts_per_1000_faces,
    )
    pictures = shown_pictures(sample.image, sample.face_xyxy, landmarks)
    services.controls.add_control_item(
        ControlInput(
            deployment_id=enrolled.deployment_id,
            camera_id=CAMERA,
            subject_id=subject_id,
            truth=Truth(sample.truth),
            frame_redacted=pictures.frame_redacted,
            probe=pictures.probe,
            face_xyxy=sample.face_xyxy,
            pts_seconds=sample.pts_seconds,
            similarity=float((np.stack(own) @ probe[0]).max()),
            threshold=point.threshold,
            frame_accounting=_accounting_at(sample),
        )
    )


def _accounting_at(sample: ControlSample) -> FrameAccounting:
    """What a worker would have counted up to that frame of the clip."""
    read = sample.frame_index + 1
    seconds = sample.pts_seconds
    inferred = min(read, int(seconds * INFERENCE_FPS) + 1)
    return FrameAccounting(read=read, decoded=read, not_sampled=read - inferred, inferred=inferred)
