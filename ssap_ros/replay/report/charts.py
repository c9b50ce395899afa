# Copyright 2026 ssap_ros maintainers
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file
# except in compliance with the License. You may obtain a copy of the License at
# http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software distributed under the
# License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND,
# either express or implied. See the License for the specific language governing permissions
# and limitations under the License.

"""Charts as inline SVG, coloured by the style sheet of the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

_WIDTH, _HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 34
_MAX_POINTS = 360  # of a timeline; more are drawn as the band that they fill
_MAX_BINS = 40
_TICKS = 5

Values = Sequence[float | None]


@dataclass(frozen=True)
class _Scale:
    """Data coordinates to pixels."""

    x0: float
    x1: float
    y0: float
    y1: float

    def x(self, value: float) -> float:
        share = (value - self.x0) / ((self.x1 - self.x0) or 1.0)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y0) / ((self.y1 - self.y0) or 1.0)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)


def timeline(
    series: Mapping[str, Values], x_label: str, y_label: str, top: float | None = None
) -> Markup:
    """Draw values by frame number, one line per name; gaps where a value is None.

    Of many frames each line is the mean of neighbours within the band from their least to their
    greatest.

    Args:
        series: Values by name.
        x_label: Of the horizontal axis.
        y_label: Of the vertical axis.
        top: End of the vertical axis, else it fits.

    Returns:
        The drawing, SVG.
    """
    length = max((len(values) for values in series.values()), default=0)
    known = [v for values in series.values() for v in values if v is not None]
    scale = _Scale(0, max(length - 1, 1), 0, top if top is not None else nice_ceiling(known))
    parts = [_axes(scale, x_label, y_label)]
    step = max(1, math.ceil(length / _MAX_POINTS))
    for number, (name, values) in enumerate(series.items()):
        centres, low, mean, high = [], [], [], []
        for start in range(0, len(values), step):
            part = [v for v in values[start : start + step] if v is not None]
            centres.append(start + (min(step, len(values) - start) - 1) / 2)
            low.append(min(part) if part else None)
            high.append(max(part) if part else None)
            mean.append(sum(part) / len(part) if part else None)
        if step > 1:
            parts.append(_band(scale, centres, low, high, number))
        parts.append(_line(scale, centres, mean, number, name, step))
    return _svg(parts, series)


def curves(series: Mapping[str, Values], x_label: str, y_label: str) -> Markup:
    """Lines over [0, 1] x [0, 1]; the values of each are equally far apart."""
    scale = _Scale(0, 1, 0, 1)
    parts = [_axes(scale, x_label, y_label)]
    for number, (name, values) in enumerate(series.items()):
        xs = np.linspace(0, 1, len(values)).tolist()
        parts.append(_line(scale, xs, values, number, name, 1))
    return _svg(parts, series)


def histogram(values: Sequence[float], marks: Mapping[str, float | None], x_label: str) -> Markup:
    """How often values occur, with vertical lines at some of them."""
    if not values:
        return Markup('<p class="none">nothing to show</p>')
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    bins = int(np.clip(2 * math.sqrt(len(values)), 8, _MAX_BINS))
    counts, edges = np.histogram(values, bins, (low, high))
    scale = _Scale(low, high, 0, nice_ceiling(counts.tolist()))
    parts = [_axes(scale, x_label, "frames")]
    for count, left, right in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        x, y = scale.x(float(left)), scale.y(count)
        width = max(scale.x(float(right)) - x - 1, 1)
        parts.append(
            f'<rect class="bar" x="{x}" y="{y}" width="{width:.1f}" '
            f'height="{scale.y(0) - y:.1f}"><title>{left:.1f} to {right:.1f}: {count} frames'
            "</title></rect>"
        )
    for line, (name, value) in enumerate(marks.items()):
        if value is not None:
            x = scale.x(min(max(value, low), high))
            side, anchor = (-4, "end") if x > _WIDTH - 60 else (4, "start")
            parts.append(
                f'<line class="mark" x1="{x}" x2="{x}" y1="{_TOP}" y2="{scale.y(0)}"/>'
                f'<text class="mark" x="{x + side}" y="{_TOP + 10 + 13 * line}" '
                f'text-anchor="{anchor}">{escape(name)}</text>'
            )
    return _svg(parts, {})


def strip(states: Sequence[str], titles: Mapping[str, str]) -> Markup:
    """Draw a thin bar per frame, or per group of frames, by its state; the worst of a group shows.

    Args:
        states: Of the frames.
        titles: What the states mean, the worst first; each is a class of the style sheet.

    Returns:
        The drawing, SVG.
    """
    step = max(1, math.ceil(len(states) / _MAX_POINTS))
    order = list(titles)
    count = max(math.ceil(len(states) / step), 1)
    width = (_WIDTH - _LEFT - _RIGHT) / count
    parts = []
    for number in range(count):
        group = states[number * step : (number + 1) * step]
        state = min(group, key=order.index) if group else order[-1]
        last = number * step + len(group) - 1
        frames = f"frame {last}" if step == 1 else f"frames {number * step} to {last}"
        parts.append(
            f'<rect class="state {state}" x="{_LEFT + number * width:.2f}" y="4" '
            f'width="{width + 0.2:.2f}" height="26">'
            f"<title>{frames}: {escape(titles[state])}</title></rect>"
        )
    legend = "".join(
        f'<span class="key {state}">{escape(title)}: {states.count(state)}</span>'
        for state, title in titles.items()
    )
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} 34" role="img" aria-label="frames by what became of them">'
        f'{"".join(parts)}</svg><p class="legend">{legend}</p>'
    )


def nice_ceiling(values: Sequence[float]) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that no value exceeds."""
    highest = max(values, default=1.0)
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= highest * (1 - 1e-9))


def _axes(scale: _Scale, x_label: str, y_label: str) -> str:
    parts = []
    for value in _ticks(scale.y0, scale.y1):
        y = scale.y(value)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{y + 3}" text-anchor="end">'
            f"{_number(value)}</text>"
        )
    for value in _ticks(scale.x0, scale.x1):
        anchor = "end" if scale.x(value) > _WIDTH - 2 * _RIGHT else "middle"
        parts.append(
            f'<text class="tick" x="{scale.x(value)}" y="{_HEIGHT - _BOTTOM + 14}" '
            f'text-anchor="{anchor}">{_number(value)}</text>'
        )
    parts.append(
        f'<text class="axis" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">'
        f"{escape(x_label)}</text>"
        f'<text class="axis" transform="translate(11 {_TOP}) rotate(-90)" text-anchor="end">'
        f"{escape(y_label)}</text>"
    )
    return "".join(parts)


def _line(scale: _Scale, xs: Sequence[float], ys: Values, number: int, name: str, step: int) -> str:
    path, pen_up = [], True
    for x, y in zip(xs, ys, strict=True):
        if y is None:
            pen_up = True
            continue
        path.append(f"{'M' if pen_up else 'L'}{scale.x(x)} {scale.y(min(y, scale.y1))}")
        pen_up = False
    line = (
        f'<path class="line s{number % 8}" d="{"".join(path)}"><title>{escape(name)}</title></path>'
    )
    dots = ""
    if step == 1 and len(xs) <= 120 and scale.x1 > 1:
        dots = "".join(
            f'<circle class="dot s{number % 8}" cx="{scale.x(x)}" cy="{scale.y(min(y, scale.y1))}" '
            f'r="2"><title>{escape(name)}, frame {x:.0f}: {y:.4g}</title></circle>'
            for x, y in zip(xs, ys, strict=True)
            if y is not None
        )
    return line + dots


def _band(scale: _Scale, xs: Sequence[float], low: Values, high: Values, number: int) -> str:
    there = [
        (x, a, b) for x, a, b in zip(xs, low, high, strict=True) if a is not None and b is not None
    ]
    upper = [f"{scale.x(x)} {scale.y(min(b, scale.y1))}" for x, _, b in there]
    lower = [f"{scale.x(x)} {scale.y(min(a, scale.y1))}" for x, a, _ in reversed(there)]
    return f'<path class="band s{number % 8}" d="M{"L".join(upper + lower)}Z"/>' if there else ""


def _svg(parts: Sequence[str], series: Mapping[str, object]) -> Markup:
    legend = "".join(
        f'<span class="key s{number % 8}">{escape(name)}</span>'
        for number, name in enumerate(series)
    )
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(parts)}</svg>'
        + (f'<p class="legend">{legend}</p>' if len(series) > 1 else "")
    )


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers from low to high."""
    step = nice_ceiling([(high - low) / _TICKS])
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.3g}"
