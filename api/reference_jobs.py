"""Pictures of requests on their way: from the seal they lie under to a reader without keys, and back as portraits.

The service's own process never decodes a picture somebody sent. A reader does, in a child that holds no key
(`pipelines.reference_reader`); what comes back is pixels and numbers, encoded and sealed here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.orm import Session

from api.clock import Clock
from api.ledger.chain import Happening
from api.review.requests import RequestState
from api.store.engine import Database
from api.store.ledger import LedgerRepository
from api.store.lists import ListRepository
from api.store.models import ListRequest, RequestPicture
from api.store.requests import RequestRepository
from api.vault import SubjectVault
from pipelines.enrol import Enrolment, PictureReport, Reference, reference_of
from pipelines.enrol_check import CheckedEnrolment, ListCheck, ListedReference, check_enrolment
from pipelines.errors import PipelineError
from pipelines.read_face import PORTRAIT_SIZE_PX
from pipelines.recipes import TemplateRecipe
from pipelines.reference_reader import PictureReader
from vision.errors import VisionError
from weights.errors import WeightsError

_log = structlog.get_logger(__name__)

NOTICE: Final = (
    "pictures of requests are not read, so nobody can approve these requests: the log says why, `aiqyn doctor` whether "
    "the models are there"
)

RETRY_SECONDS: Final = 30.0
"""Starting a reader that cannot work costs seconds of a processor."""

_Result = Reference | str
"""What became of one picture: a reference, or the word for why not."""


class ReferenceJobs:
    """Reads the pictures of one request after another, and says what the check of them found."""

    def __init__(
        self,
        database: Database,
        vault: SubjectVault,
        clock: Clock,
        reader_of: Callable[[], PictureReader] | None,
        default_rate: float,
    ) -> None:
        """
        Args:
            reader_of: makes the reader when the first picture waits; None: nothing is read in this process.
            default_rate: wanted false alerts per 1000 faces of lists without a rate of their own.
        """
        self._database = database
        self._vault = vault
        self._clock = clock
        self._reader_of = reader_of
        self._default_rate = default_rate
        self._reader: PictureReader | None = None
        self._read_already: dict[str, _Result] = {}
        self._rests_until = 0.0
        self.notice: str | None = None

    def run_once(self) -> int:
        """Reads one picture of the request that waits longest, and hands the request back after its last one.

        One at a time, because each may take its reader's whole patience.

        Returns:
            1 where there was something to do. A reader that cannot work is told of in `notice`: requests wait.
        """
        with self._database.read() as session:
            row = RequestRepository(session).next_unchecked()
            pictures = RequestRepository(session).pictures(row.request_id) if row else ()
        if row is None or self._reader_of is None or time.monotonic() < self._rests_until:
            return 0
        try:
            self._reader = self._reader or self._reader_of()
            unread = [one for one in pictures if one.reference_id not in self._read_already]
            for picture in unread[:1]:
                self._read_already[picture.reference_id] = self._read(self._reader, row, picture)
            if len(unread) <= 1:
                self._finish(self._reader, row, pictures)
        except (PipelineError, WeightsError, VisionError) as error:
            self.notice, self._rests_until = NOTICE, time.monotonic() + RETRY_SECONDS
            reason = " ".join(str(error).split())[:200]
            _log.warning(
                "references_not_read",
                request_id=row.request_id,
                error=type(error).__name__,
                reason=reason,
            )
            return 0
        self.notice = None
        return 1

    def close(self) -> None:
        """Ends the reader."""
        if self._reader is not None:
            self._reader.close()

    def _read(self, reader: PictureReader, row: ListRequest, picture: RequestPicture) -> _Result:
        if picture.upload_sealed is None:
            return "failed"
        subject_id = row.subject_id or ""
        data = self._vault.open_upload(subject_id, picture.reference_id, picture.upload_sealed)
        face = reader.read(data)
        return face if isinstance(face, str) else reference_of(face, subject_id, picture.reference_id)

    def _finish(self, reader: PictureReader, row: ListRequest, pictures: Sequence[RequestPicture]) -> None:
        results = {one.reference_id: self._read_already[one.reference_id] for one in pictures}
        self._hand_back(reader, row, results, self._check(reader, row, results))
        self._read_already.clear()

    def _check(
        self, reader: PictureReader, row: ListRequest, results: Mapping[str, _Result]
    ) -> CheckedEnrolment:
        """Held against each other, against who is listed, and against who else is asked for."""
        references = tuple(one for one in results.values() if not isinstance(one, str))
        reports = tuple(PictureReport(Path(one.name), one.subject_id, "ok") for one in references)
        rate, listed = self.held_against(row.watchlist_id, reader.recipe.sha256, row.subject_id)
        against = ListCheck(reader.calibration, rate, listed)
        return check_enrolment(Enrolment(references, reports, ()), against)

    def held_against(
        self, watchlist_id: str, recipe_sha256: str, but: str | None = None
    ) -> tuple[float, list[ListedReference]]:
        """The wanted rate of a list, and who is on it or asked for, by their subject ids; `but` one of these."""
        with self._database.read() as session:
            watchlist = ListRepository(session).watchlist(watchlist_id)
            rate = watchlist.false_alerts_per_1000_faces if watchlist else None
            return rate or self._default_rate, self._listed(session, watchlist_id, recipe_sha256, but)

    def _listed(
        self, session: Session, watchlist_id: str, recipe_sha256: str, but: str | None
    ) -> list[ListedReference]:
        opened = self._vault
        lists, requests = ListRepository(session), RequestRepository(session)
        found = [
            ListedReference(
                one.subject_id,
                one.reference_id,
                opened.open_template(one.subject_id, one.reference_id, template.template_sealed),
                partial(opened.open_portrait, one.subject_id, one.reference_id, one.portrait_sealed),
            )
            for one, template in lists.listed_templates(watchlist_id, recipe_sha256, self._clock())
        ]
        for subject_id, picture in requests.pending_pictures(watchlist_id, recipe_sha256):
            template, portrait = picture.template_sealed, picture.portrait_sealed
            if template is None or portrait is None or subject_id == but:
                continue
            embedding = opened.open_template(subject_id, picture.reference_id, template)
            of = partial(opened.open_portrait, subject_id, picture.reference_id, portrait)
            found.append(ListedReference(subject_id, picture.reference_id, embedding, of))
        return found

    def _hand_back(
        self,
        reader: PictureReader,
        row: ListRequest,
        results: Mapping[str, _Result],
        checked: CheckedEnrolment,
    ) -> None:
        """Everything found in one transaction; nothing where the request ended meanwhile."""
        outcomes = {report.path.name: report.outcome for report in checked.enrolment.reports}
        with self._database.write() as session:
            requests, now = RequestRepository(session), self._clock()
            current = requests.row(row.request_id, lock=True)
            if current is None or current.state != RequestState.CHECKING:
                return
            for picture in requests.pictures(row.request_id):
                result = results[picture.reference_id]
                picture.upload_sealed = None
                if isinstance(result, str):
                    picture.outcome = result
                else:
                    picture.outcome = outcomes[picture.reference_id]
                    keep_reference(self._vault, row.subject_id or "", picture, result, reader.recipe)
            current.findings = findings_document(checked)
            current.state = RequestState.OPEN.value
            session.flush()
            usable = requests.usable_count(row.request_id)
            detail = {"pictures": len(results), "usable": usable, "findings": len(current.findings)}
            about = f"request:{row.request_id}"
            LedgerRepository(session).append(Happening("references_checked", now, "enrolment", about, detail))


def keep_reference(
    vault: SubjectVault,
    subject_id: str,
    picture: RequestPicture,
    reference: Reference,
    recipe: TemplateRecipe,
) -> None:
    """Portrait and template of a picture that was read, sealed into its row; those of a refused one too, to look at."""
    picture.notes = list(reference.notes)
    picture.portrait_sealed = vault.seal_portrait(subject_id, picture.reference_id, reference.portrait_jpeg)
    picture.portrait_width = picture.portrait_height = PORTRAIT_SIZE_PX
    picture.template_sealed = vault.seal_template(subject_id, picture.reference_id, reference.embedding)
    picture.recipe_sha256, picture.embedder_id = recipe.sha256, recipe.embedder_id
    picture.embedder_sha256, picture.preprocessing = recipe.embedder_sha256, recipe.preprocessing


def findings_document(checked: CheckedEnrolment) -> list[dict[str, Any]]:
    """What was found, as it is stored: ids and figures; names are put to them when somebody looks."""
    return [
        {
            "kind": finding.kind,
            "subjects": list(finding.subjects),
            "references": list(finding.pictures),
            "similarity": round(finding.similarity, 4),
            "limit": round(finding.limit, 4),
        }
        for finding in checked.findings
    ]
