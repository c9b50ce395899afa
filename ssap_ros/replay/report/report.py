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

"""The report of a replay as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ssap_ros.replay.report import charts
from ssap_ros.replay.report.pages import write_page
from ssap_ros.replay.report.sample_frames import FrameSelection
from ssap_ros.replay.summary import ReplaySummary

_STATES = {"lost": "no output", "answered": "processed"}
_SCORES = ("AP", "AP50", "PQ", "mIoU")


def write_report(
    path: Path,
    summary: ReplaySummary,
    frames: Sequence[Mapping[str, Any]],
    selections: Sequence[FrameSelection],
) -> None:
    """Write the page of one replay.

    Args:
        path: The HTML file.
        summary: What summary.json holds.
        frames: What frames.json holds.
        selections: The sample frames.

    Raises:
        OSError: The file cannot be written.
    """
    model = summary.model_card
    write_page(
        path,
        "replay.html",
        title=f"Replay of {Path(summary.source).name}",
        subtitle=(
            f"{model['file']} with {summary.backend}, policy {summary.policy}, "
            f"score threshold {summary.score_threshold:g}, digest {summary.digest[:16]}"
        ),
        badge="partial" if summary.problems else "whole",
        summary=summary,
        noticed=_noticed(summary),
        figures=_figures(summary),
        charts=_charts(summary, frames),
        selections=selections,
        objects=_objects(summary.scores_3d) if summary.scores_3d else None,
        run={
            "cameras": ", ".join(summary.cameras),
            "policy": summary.policy,
            "rate": summary.rate or "as fast as nothing is lost",
            **summary.parameters,
            "digest": summary.digest,
        },
        model={
            "file": model["file"],
            "size": f"{model['bytes'] / 1e6:.1f} MB",
            "SHA-256": model["sha256"],
            "classes": ", ".join(model["classes"].values()),
        },
    )


def _figures(summary: ReplaySummary) -> dict[str, str]:
    scores = summary.scores or {}
    figures = {n: f"{scores[n]:.3f}" for n in _SCORES if scores.get(n) is not None}
    figures["frames processed"] = f"{summary.frames_out} / {summary.frames_in}"
    figures["frames/s"] = f"{summary.fps:.1f}"
    for percentile in ("p50", "p95"):
        value = summary.latency_ms[percentile]
        figures[f"latency {percentile}"] = "-" if value is None else f"{value:.0f} ms"
    per_frame = summary.instances_total / max(summary.frames_out, 1)
    figures["instances per frame"] = f"{per_frame:.1f}"
    if summary.objects_total is not None:
        placed = summary.objects_total / max(summary.frames_out, 1)
        figures["objects in space per frame"] = f"{placed:.1f}"
    if summary.scores_3d is not None:
        share = summary.scores_3d["recall"]["2 m"]
        error = summary.scores_3d["centre_error_m"]["p50"]
        figures["recall within 2 m"] = "-" if share is None else f"{share:.3f}"
        figures["centre error p50"] = "-" if error is None else f"{error:.2f} m"
    if summary.flicker is not None:
        figures["flicker"] = f"{summary.flicker:.3f}"
    return figures


def _objects(scores: Mapping[str, Any]) -> tuple[Sequence[str], dict[str, list[float | None]]]:
    """The columns of the table of objects in space, and its rows by name."""
    columns = ("class", "true", "placed", *scores["recall"], "error p50, m", "p95, m")
    rows = {}
    for name, figures in [("all", scores), *scores["classes"].items()]:
        if figures["truth"] or figures["predicted"]:
            errors = figures["centre_error_m"]
            rows[name] = [
                figures["truth"],
                figures["predicted"],
                *figures["recall"].values(),
                errors["p50"],
                errors["p95"],
            ]
    return columns, rows


def _noticed(summary: ReplaySummary) -> list[str]:
    counts = summary.events["counts"]
    lines = [f"{kind.replace('_', ' ')}: {count} times" for kind, count in counts.items()]
    for event in summary.events["first"][:5]:
        kind = event["kind"].replace("_", " ")
        lines.append(f"frame {event['frame']}: {kind}, {event['step_s']:+.3f} s")
    return lines + [line for line in summary.damage if line not in set(summary.problems)]


def _charts(
    summary: ReplaySummary, frames: Sequence[Mapping[str, Any]]
) -> dict[str, Markup | None]:
    latencies = [row["latency_ms"] for row in frames]
    known = [value for value in latencies if value is not None]
    states = ["answered" if row["answered"] else "lost" for row in frames]
    counts = {"found": [row["instances"] for row in frames]}
    quality = None
    if any("truth" in row for row in frames):
        counts["true"] = [row.get("truth") for row in frames]
        series = {"quality": [row.get("quality") for row in frames]}
        quality = charts.timeline(series, "frame", "quality", top=1.0)
    flicker = {"flicker": [row["flicker"] for row in frames]}
    return {
        "latency": charts.histogram(known, summary.latency_ms, "milliseconds"),
        "latency_by_frame": charts.timeline({"latency": latencies}, "frame", "ms"),
        "states": charts.strip(states, _STATES),
        "instances": charts.timeline(counts, "frame", "instances"),
        "quality": quality,
        "flicker": charts.timeline(flicker, "frame", "flicker", top=1.0),
    }
