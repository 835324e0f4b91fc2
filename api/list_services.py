"""Everything about lists, requests and deployments that routes and threads work with, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from api.clock import Clock
from api.deployments import DeploymentService
from api.entries import EntryService
from api.list_decisions import DecisionService
from api.list_imports import ImportService
from api.list_requests import RequestService
from api.reference_jobs import ReferenceJobs
from api.request_views import RequestViews
from api.settings import Settings
from api.store.engine import Database
from api.vault import SubjectVault
from api.watchlists import WatchlistService
from pipelines.reference_reader import ReferenceReader


@dataclass(frozen=True, slots=True, repr=False)
class ListServices:
    """The services, and the job that reads pictures."""

    watchlists: WatchlistService
    entries: EntryService
    requests: RequestService
    decisions: DecisionService
    views: RequestViews
    deployments: DeploymentService
    imports: ImportService
    jobs: ReferenceJobs

    def close(self) -> None:
        """Ends the process that reads pictures."""
        self.jobs.close()


def build_list_services(
    settings: Settings, database: Database, vault: SubjectVault, clock: Clock
) -> ListServices:
    """All of them, over one database."""
    reader = settings.references
    requests = RequestService(database, vault, clock)
    jobs = ReferenceJobs(
        database,
        vault,
        clock,
        None if reader is None else lambda: ReferenceReader(reader),
        settings.false_alerts_per_1000_faces,
    )
    return ListServices(
        watchlists=WatchlistService(database, clock),
        entries=EntryService(database, vault, clock),
        requests=requests,
        decisions=DecisionService(database, requests, clock),
        views=RequestViews(database, vault, clock),
        deployments=DeploymentService(database, clock),
        imports=ImportService(database, vault, clock),
        jobs=jobs,
    )
