"""The page fetches and runs nothing, whatever the files are called."""

from __future__ import annotations

import sys

import pytest

from pipelines.evaluate.report.body import (
    Exhibit,
    Exhibits,
    Figure,
    Plot,
    ReportBody,
    ReportFacts,
    Table,
    nominal,
    percent,
    readable,
)
from pipelines.evaluate.report.charts import intervals
from pipelines.evaluate.report.page import WHO_MAY_SEE, render
from tests.unit.pipelines.evaluate.report.reading import Reading

HOSTILE = '"><script src=//evil.example/x.js></script><img src=x onerror=alert(1)>&amp;\u202e.jpg'
KAZAKH = "Әлия Қасымқызы Өңір Ұлы Үміт Һәм Іңкәр Ғалым"


def body(words: str = "words") -> ReportBody:
    """A report in which every text is the same."""
    row = {"name": words, "series": words, "value": 0.5, "low": 0.4, "high": 0.6}
    return ReportBody(
        title=words,
        summary=words,
        figures=(Figure(words, words, words, words),),
        plots=(Plot(words, intervals([row, dict(row, series="other")], words), words),),
        tables=(Table(words, (words,), ((words,),), words),),
        exhibits=(Exhibits(words, words, (Exhibit((b"\xff\xd8", b"\xff\xd8"), words),)),),
        cautions=(words,),
    )


def facts(words: str = "words") -> ReportFacts:
    model = {"role": words, "id": words, "sha256": words}
    return ReportFacts(words, words, words, (model,), {words: words}, problems=2)


@pytest.mark.parametrize(
    "words", [HOSTILE, KAZAKH, "</style><style>*{background:url(//evil.example)}", "\x00\ud800'"]
)
def test_words_from_outside_stay_words(words: str) -> None:
    page = render(body(words), facts(words))
    read, plain = Reading(page), Reading(render(body(), facts()))
    assert read.faults == []
    assert read.tags == plain.tags, "no element came from the words"
    assert len(read.pictures) == 2
    assert read.text.count(readable(words)) >= 10


def test_what_is_not_seen_is_replaced() -> None:
    assert readable("gpj.\u202e\x00\ud800\n Әң\xa0") == "gpj.���� Әң\xa0"


@pytest.mark.parametrize(
    "broken",
    [
        "<script>1</script>",
        "<img src=https://evil.example/a.png>",
        "<img src=data:image/svg+xml;base64,xx>",
        "<p onclick=x>",
        "<svg><a xlink:href='//x'></a></svg>",
        "<style>p{background:url(x)}</style>",
        "<meta http-equiv=refresh content='0;//x'>",
    ],
)
def test_the_reader_sees_what_it_must_see(broken: str) -> None:
    assert Reading(broken).faults


def test_the_policy_allows_nothing_but_what_is_inside() -> None:
    policy = Reading(render(body(), facts())).policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "http" not in policy


def test_it_says_who_may_see_faces_only_where_there_are_some() -> None:
    assert WHO_MAY_SEE in Reading(render(body(), facts())).text
    bare = ReportBody("t", "s", ())
    assert WHO_MAY_SEE not in Reading(render(bare, facts())).text


def test_failed_inputs_are_told() -> None:
    assert "2 of the inputs failed" in Reading(render(body(), facts())).text


def test_without_the_extra_the_page_says_so_and_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    read = Reading(render(body(), facts()))
    assert "No plots: vl-convert-python is not installed" in read.text
    assert "svg" not in read.tags
    assert read.tags["table"] == 3


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0.99371, "99.4 %"), (0.0427, "4.27 %"), (0.0, "0.00 %"), (-0.2, "-20.0 %")],
)
def test_shares_as_they_are_read(share: float | None, text: str) -> None:
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == text
    assert nominal("0.003").replace("\N{NO-BREAK SPACE}", " ") == "0.3 %"
