"""Reports: charts and copies in closed form, and the page in a real browser."""

import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.report.charts import nice_ticks, svg
from recon.report.contents import Chart, Column, Picture, Report, Series, Table, ViewRow
from recon.report.copies import latex, markdown
from recon.report.page import page
from recon.report.views import jpeg


def picture(red: int) -> Picture:
    image = np.full((40, 60, 3), 30, np.uint8)
    image[..., 0] = red
    return Picture(f"red {red}", jpeg(image))


def report(views: int = 6) -> Report:
    rows = tuple(
        ViewRow(
            f"view <{i}>",
            (20.0 + (i * 7) % views, None if i == 2 else 0.1 * i),
            (picture(40), picture(200), picture(120)),
        )
        for i in range(views)
    )
    rows = tuple(sorted(rows, key=lambda row: row.numbers[0] or 0.0))
    table = Table("Arms & more", ("arm", "PSNR_dB"), (("plain", "20.1"), ("l1|depth", "21.0")))
    lines = Chart(
        "Training", "step", "dB",
        (Series("a", (0.0, 10.0, 20.0), (15.0, 20.0, 22.0)),
         Series("b", (0.0, 10.0, 20.0), (15.0, math.nan, 21.0))),
    )  # fmt: skip
    bars = Chart(
        "Error", "range", "AbsRel", (Series("a", (0.0, 1.0), (0.05, 0.1)),), ("0-10", "10-20")
    )
    columns = Column("PSNR", 2, True), Column("AbsRel", 3, False)
    facts = (("protocol", "full@1"), ("odd", "<script>alert(1)</script>"))
    return Report(
        "A <report>", "recon fit --data x", facts, ("a claim: shown",), (table,), (lines, bars),
        columns, rows, None,
    )  # fmt: skip


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_few_and_cover_the_range(low: float, width: float) -> None:
    high = low + width
    ticks = nice_ticks(low, high)
    slack = 1e-6 * max(abs(low), abs(high), width)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 9
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[0], rtol=1e-3, atol=slack)


def test_a_line_goes_where_its_numbers_are() -> None:
    chart = Chart("t", "x", "y", (Series("a", (0.0, 100.0), (0.0, 10.0)),))
    found = re.search(r'points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+)"', svg(chart))
    assert found is not None
    x0, y0, x1, y1 = map(float, found.groups())
    assert (x0, y0, x1, y1) == (56.0, 240.0, 628.0, 10.0)


def test_bars_stand_on_zero_and_are_as_high_as_their_numbers() -> None:
    chart = Chart("t", "x", "y", (Series("a", (0.0, 1.0), (5.0, 10.0)),), ("near", "far"))
    bars = re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', svg(chart))
    assert [(float(y) + float(h), float(h)) for y, h in bars] == [(240.0, 115.0), (240.0, 230.0)]


def test_copies_escape_what_their_languages_mean() -> None:
    table = report().tables[0]
    assert (
        markdown(table)
        == "| arm | PSNR_dB |\n|---|---:|\n| plain | 20.1 |\n| l1\\|depth | 21.0 |\n"
    )
    assert r"arm & PSNR\_dB \\" in latex(table)
    assert latex(table).startswith(r"\begin{tabular}{lr}")


class Sources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found += [v for k, v in attrs if k in ("src", "href", "srcset", "action") and v]


def test_the_page_asks_for_nothing_and_runs_no_words_of_the_data() -> None:
    parser = Sources()
    written = page(report())
    parser.feed(written)
    assert parser.found
    assert all(source.startswith("data:image/jpeg;base64,") for source in parser.found)
    assert parser.scripts == 1
    assert "@import" not in written
    assert "url(" not in written


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_reader_can_sort_open_and_wipe(
    chromium: object, tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(report()))
    context = chromium.new_context(  # type: ignore[attr-defined]
        viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
    )
    tab = context.new_page()
    problems: list[str] = []
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda message: problems.append(message.text))
    tab.goto(file.as_uri())

    def names() -> list[str]:
        return tab.locator("tr.view td:first-child").all_inner_texts()

    assert names()[0] == "view <0>"
    tab.get_by_role("button", name="PSNR").click()
    tab.get_by_role("button", name="PSNR").click()
    assert names()[0] == "view <5>"
    tab.get_by_role("button", name="AbsRel").click()
    # What has no number comes last, in either order.
    assert names()[-1] == "view <2>"
    tab.locator("tr.view").first.click()
    assert tab.locator("tr.more .pictures img").count() == 3
    wide = tab.locator("tr.more .wipe img").first.evaluate("image => image.naturalWidth")
    assert wide == 60
    tab.locator("tr.more .wipe input").fill("20")
    style = tab.locator("tr.more .wipe").get_attribute("style")
    assert style is not None
    assert "20%" in style
    tab.locator("tr.view").first.click()
    assert tab.locator("tr.more").count() == 0
    sideways = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert sideways <= 0
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(20, 22, 26)") == (scheme == "dark")
    assert not problems
    context.close()
