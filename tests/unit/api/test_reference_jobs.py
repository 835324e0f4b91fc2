"""Pictures of a request all the way through the real child: from the upload to a template that is searched."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import load_config
from pipelines.reference_reader import ReaderOptions
from tests.api_client import Clients
from tests.lists_bench import approve, file_entry
from tests.seeds import seed

pytestmark = [pytest.mark.models("centerface", "mobilefacenet-faceplugin"), pytest.mark.evaldata]


def test_a_photograph_becomes_a_template_without_being_decoded_here(tmp_path: Path, eval_data: Path) -> None:
    clients = Clients(seed(tmp_path, references=ReaderOptions.of(load_config(None))))
    try:
        folder = eval_data / "faces" / "lfw2" / "images" / "Abdullah_Gul"
        pictures = [path.read_bytes() for path in sorted(folder.iterdir())[:2]]
        request_id = file_entry(clients, clients.login("saule"), [*pictures, b"no picture"])
        authoriser = clients.login("nurlan")
        shown = authoriser.get(f"/requests/{request_id}").json()
        assert [one["outcome"] for one in shown["pictures"]] == ["ok", "ok", "not_a_picture"]
        assert approve(clients, authoriser, request_id).status_code == 200
        services = clients.seeded.services
        recipe = services.lists.jobs._reader.recipe if services.lists.jobs._reader else None
        assert recipe is not None
        (subject,) = services.records.gallery_subjects(clients.seeded.watchlist_id, recipe.sha256)
        assert len(subject.templates) == 2
    finally:
        clients.close()
