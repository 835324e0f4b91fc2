"""A report as one HTML file: no script, nothing fetched from anywhere, every word from outside escaped."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from html import escape

from pipelines.evaluate.errors import MissingExtraError
from pipelines.evaluate.report.body import (
    NO_BREAK,
    Exhibits,
    Figure,
    Plot,
    ReportBody,
    ReportFacts,
    Table,
    readable,
)
from pipelines.evaluate.report.charts import to_svg
from pipelines.evaluate.report.look import STYLE

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

WHO_MAY_SEE = (
    "This page shows pictures of people. It is for those who measured and those who decide about the model or "
    "the camera; it goes to nobody else, and is deleted when the decision is made."
)


def render(body: ReportBody, facts: ReportFacts, draw: Callable[[Plot], str] | None = None) -> str:
    """The page.

    Args:
        body: what the run has to say.
        facts: how it came to be.
        draw: a plot as an SVG element; None for Vega-Lite's.

    Returns:
        A whole HTML document, UTF-8.
    """
    parts = [
        f"<h1>{_text(body.title)}</h1>",
        f"<p class=lead>{_text(body.summary)}</p>",
        f"<p class=warn role=note>{_text(WHO_MAY_SEE)}</p>" if body.exhibits else "",
        _problems(facts.problems),
        _figures(body.figures),
        _plots(body.plots, draw or (lambda plot: to_svg(plot.spec))),
        *map(_table, body.tables),
        *map(_exhibits, body.exhibits),
        _cautions(body.cautions),
        _facts(facts),
    ]
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{_text(_POLICY)}">\n'
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        '<meta name=robots content="noindex">\n<meta name=color-scheme content="light dark">\n'
        f"<title>{_text(body.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _text(words: str) -> str:
    return escape(readable(words))


def _problems(count: int) -> str:
    if not count:
        return ""
    return f"<p class=warn role=note>{count} of the inputs failed and are in no figure; each was named when it did.</p>"


def _figures(figures: Iterable[Figure]) -> str:
    cards = "".join(
        f"<div class=card><dt>{_text(figure.label)}</dt><dd><b>{_text(figure.value)}</b>"
        + (f"<span>95{NO_BREAK}%: {_text(figure.interval)}</span>" if figure.interval else "")
        + (f"<small>{_text(figure.note)}</small>" if figure.note else "")
        + "</dd></div>"
        for figure in figures
    )
    return f"<dl class=cards>{cards}</dl>"


def _plots(plots: Iterable[Plot], draw: Callable[[Plot], str]) -> str:
    try:
        drawn = "".join(
            f"<figure><figcaption><h2>{_text(plot.title)}</h2></figcaption>{draw(plot)}"
            f"<p>{_text(plot.note)}</p></figure>"
            for plot in plots
        )
    except MissingExtraError as error:
        return f"<p class=warn role=note>No plots: {_text(str(error))}</p>"
    return f"<div class=plots>{drawn}</div>" if drawn else ""


def _table(table: Table) -> str:
    head = "".join(f"<th scope=col>{_text(name)}</th>" for name in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    note = f"<p>{_text(table.note)}</p>" if table.note else ""
    return (
        f"<section><h2>{_text(table.title)}</h2><div class=wide><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{note}</section>"
    )


def _exhibits(kind: Exhibits) -> str:
    cases = "".join(
        "<figure class=case><div>"
        + "".join(_picture(jpeg, exhibit.caption) for jpeg in exhibit.jpegs)
        + f"</div><figcaption>{_text(exhibit.caption)}</figcaption></figure>"
        for exhibit in kind.exhibits
    )
    shown = f"<div class=cases>{cases}</div>" if cases else "<p>None.</p>"
    return f"<section><h2>{_text(kind.title)}</h2><p>{_text(kind.note)}</p>{shown}</section>"


def _picture(jpeg: bytes, caption: str) -> str:
    data = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="{_text(caption)}" src="data:image/jpeg;base64,{data}">'


def _cautions(cautions: tuple[str, ...]) -> str:
    if not cautions:
        return ""
    items = "".join(f"<li>{_text(caution)}</li>" for caution in cautions)
    return f"<section><h2>What these figures do not say</h2><ul>{items}</ul></section>"


def _facts(facts: ReportFacts) -> str:
    rows = [("measured", facts.created_at), ("software", facts.software), *facts.settings.items()]
    settings = "".join(
        f"<tr><th scope=row>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in rows
    )
    models = "".join(
        f"<tr><td>{_text(model['role'])}</td><td>{_text(model['id'])}</td><td><code>{_text(model['sha256'])}</code></td></tr>"
        for model in facts.models
    )
    table = f"<div class=wide><table><thead><tr><th scope=col>role<th scope=col>model<th scope=col>SHA-256</tr></thead><tbody>{models}</tbody></table></div>"
    return (
        "<section><h2>How it was measured</h2>"
        f"<pre><code>{_text(facts.command_line)}</code></pre>"
        f"<div class=wide><table><tbody>{settings}</tbody></table></div>{table if models else ''}</section>"
    )
