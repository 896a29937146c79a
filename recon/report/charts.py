"""Charts as SVG, drawn without a library so that the page needs none."""

import math
from collections.abc import Callable
from html import escape

from recon.report.contents import Chart

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 10, 40
POINTS = 240
"""At most so many points of a line are drawn."""

Down = Callable[[float], float]
"""From a value to its place below the chart's upper edge."""


def svg(chart: Chart) -> str:
    """Draw a chart; colours come from the page's style, by the classes s0, s1, ..."""
    ys = [y for series in chart.series for y in series.y if math.isfinite(y)]
    low, high = (min(ys), max(ys)) if ys else (0.0, 1.0)
    if chart.labels:
        low = min(low, 0.0)
    ticks = nice_ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def down(y: float) -> float:
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(chart.title)}">'
    ]
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(tick):.1f}" '
            f'y2="{down(tick):.1f}"/><text x="{LEFT - 6}" y="{down(tick) + 4:.1f}" '
            f'text-anchor="end">{tick:g}</text>'
        )
    drawn = _bars(chart, down, low) if chart.labels else _lines(chart, down)
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        *drawn,
        f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(chart.x_label)}</text>",
        f'<text transform="translate(13 {(TOP + HEIGHT - BOTTOM) / 2:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(chart.y_label)}</text></svg>',
    ]
    return "".join(parts)


def nice_ticks(low: float, high: float) -> list[float]:
    """Return round numbers that cover a range in about five steps."""
    if not high > low:
        high = low + max(abs(low), 1.0) * 0.1
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(step * i, 12) for i in range(first, last + 1)]


def _lines(chart: Chart, down: Down) -> list[str]:
    xs = [x for series in chart.series for x in series.x]
    ticks = nice_ticks(min(xs, default=0.0), max(xs, default=1.0))
    low, high = ticks[0], ticks[-1]

    def across(x: float) -> float:
        return LEFT + (x - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<text x="{across(tick):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
        f"{tick:g}</text>"
        for tick in ticks
    ]
    for number, series in enumerate(chart.series):
        pairs = [(x, y) for x, y in zip(series.x, series.y, strict=True) if math.isfinite(y)]
        pairs = pairs[:: max(1, math.ceil(len(pairs) / POINTS))]
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in pairs)
        parts.append(f'<polyline class="line s{number % 8}" points="{path}"/>')
    return parts


def _bars(chart: Chart, down: Down, low: float) -> list[str]:
    group = (WIDTH - LEFT - RIGHT) / len(chart.labels)
    bar = 0.8 * group / max(1, len(chart.series))
    parts = []
    for place, label in enumerate(chart.labels):
        begin = LEFT + (place + 0.1) * group
        parts.append(
            f'<text x="{begin + 0.4 * group:.1f}" y="{HEIGHT - BOTTOM + 16}" '
            f'text-anchor="middle">{escape(label)}</text>'
        )
        for number, series in enumerate(chart.series):
            y = series.y[place]
            if not math.isfinite(y):
                continue
            top = down(y)
            parts.append(
                f'<rect class="bar s{number % 8}" x="{begin + number * bar:.1f}" y="{top:.1f}" '
                f'width="{0.94 * bar:.1f}" height="{down(max(low, 0.0)) - top:.1f}">'
                f"<title>{escape(series.name)}: {y:.4g}</title></rect>"
            )
    return parts
