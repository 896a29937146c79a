"""A report as one HTML file that asks nothing of any network."""

import base64
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from recon.report.charts import svg
from recon.report.contents import Chart, Column, Picture, Report, Table, ViewRow
from recon.report.copies import latex, markdown


def page(report: Report) -> str:
    """Write the page."""
    here = files("recon.report")
    style, script = (here.joinpath(name).read_text() for name in ("page.css", "page.js"))
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # Even a mistake in this page could not reach the network.
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">",
            f"<title>{escape(report.title)}</title><style>{style}</style></head><body>",
            f"<h1>{escape(report.title)}</h1>",
            *_facts(report),
            *(line for table in report.tables for line in _table(table)),
            *_list("What it shows", report.verdicts),
            *_charts(report.charts),
            *_views(report),
            *(_table(report.hashes) if report.hashes is not None else ()),
            f"<script>{script}</script></body></html>",
        ]
    )


def _facts(report: Report) -> Iterator[str]:
    yield f"<pre><code>{escape(report.command)}</code></pre>"
    yield '<dl class="facts">'
    for label, words in report.facts:
        yield f"<dt>{escape(label)}</dt><dd>{escape(words)}</dd>"
    yield "</dl>"


def _list(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield f"<h2>{escape(title)}</h2><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in lines)
        yield "</ul>"


def _table(table: Table) -> Iterator[str]:
    yield f'<h2>{escape(table.title)}</h2><div class="scroll"><table><thead><tr>'
    yield "".join(f"<th>{escape(c)}</th>" for c in table.columns) + "</tr></thead><tbody>"
    for row in table.rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"
    for name, written in (("Markdown", markdown(table)), ("LaTeX", latex(table))):
        yield (
            f"<details><summary>{name}</summary><button class=copy>copy</button>"
            f"<pre><code>{escape(written)}</code></pre></details>"
        )


def _charts(charts: tuple[Chart, ...]) -> Iterator[str]:
    if not charts:
        return
    yield '<h2>Charts</h2><div class="charts">'
    for chart in charts:
        yield f"<figure><figcaption>{escape(chart.title)}</figcaption>{svg(chart)}"
        yield '<div class="legend">'
        for number, series in enumerate(chart.series):
            yield f'<span class="s{number % 8}"><b>{escape(series.name)}</b></span>'
        yield "</div></figure>"
    yield "</div>"


def _views(report: Report) -> Iterator[str]:
    if not report.views:
        return
    yield "<h2>Views, the worst first</h2>"
    yield '<div class="scroll"><table class="views"><thead><tr>'
    yield "<th><button>view</button></th>"
    for column in report.view_columns:
        yield f"<th><button>{escape(column.title)}</button></th>"
    yield "</tr></thead><tbody>"
    for number, view in enumerate(report.views):
        yield (
            f'<tr class="view" tabindex="0" aria-expanded="false" data-more="view-{number}">'
            f"<td>{escape(view.name)}</td>"
        )
        for value, column in zip(view.numbers, report.view_columns, strict=True):
            yield _number(value, column)
        yield "</tr>"
    yield "</tbody></table></div>"
    for number, view in enumerate(report.views):
        yield from _pictures(number, view, 1 + len(report.view_columns))


def _number(value: float | None, column: Column) -> str:
    if value is None:
        return "<td></td>"
    return f'<td data-value="{value!r}">{value:.{column.digits}f}</td>'


def _pictures(number: int, view: ViewRow, columns: int) -> Iterator[str]:
    """Write what a click on a row shows; a template costs the browser nothing until then."""
    choices = "".join(f"<option>{escape(p.caption)}</option>" for p in view.pictures)
    yield f'<template id="view-{number}"><tr class="more"><td colspan="{columns}">'
    yield '<div class="pictures">'
    for picture in view.pictures:
        yield (
            f'<figure><img alt="{escape(picture.caption)}" src="{_uri(picture)}">'
            f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        )
    yield '</div><div class="wipes">'
    yield f"<label>left <select>{choices}</select></label>"
    yield f"<label>right <select>{choices}</select></label>"
    yield (
        '<div class="wipe"><img alt="left"><img alt="right">'
        '<input type="range" min="0" max="100" value="50" aria-label="wipe"></div>'
    )
    yield "</div></td></tr></template>"


def _uri(picture: Picture) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode("ascii")
