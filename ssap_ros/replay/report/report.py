"""The report of a replay as one HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ssap_ros.common.files import write_atomically
from ssap_ros.replay.report import charts, html
from ssap_ros.replay.report.sample_frames import Gallery
from ssap_ros.replay.summary import ReplaySummary

_CLASS_SCORES = ("AP", "AP50", "PQ", "SQ", "RQ", "IoU")
_STATES = {"lost": "no answer", "answered": "answered"}


def write_report(
    path: Path,
    summary: ReplaySummary,
    frames: Sequence[Mapping[str, Any]],
    galleries: Sequence[Gallery],
) -> None:
    """Write the page of one replay.

    frames: what frames.json holds. galleries: the frames to be shown.
    """
    name = Path(summary.source).name
    subtitle = (
        f"{summary.model_card['file']} with {summary.backend}, policy {summary.policy}, "
        f"score threshold {summary.score_threshold:g}, digest {summary.digest[:16]}"
    )
    sections = [
        html.head(f"Replay of {name}", subtitle, "partial" if summary.problems else "whole"),
        html.notes("This result is partial", summary.problems, "alarm"),
        html.notes("Noticed in the recording", _noticed(summary), "note"),
        html.tiles(_figures(summary)),
        scores_section(summary.scores, summary.curves),
        _speed(summary, frames),
        _over_time(frames),
        *(html.section(g.title, *map(html.figure, g.exhibits())) for g in galleries),
        _made_with(summary),
    ]
    write_atomically(path, html.page(f"Replay of {name}", sections))


def _figures(summary: ReplaySummary) -> dict[str, str]:
    scores = summary.scores or {}
    figures = {
        name: f"{scores[name]:.3f}"
        for name in ("AP", "AP50", "PQ", "mIoU")
        if scores.get(name) is not None
    }
    figures["frames answered"] = f"{summary.frames_out} / {summary.frames_in}"
    figures["frames/s"] = f"{summary.fps:.1f}"
    for percentile in ("p50", "p95"):
        value = summary.latency_ms[percentile]
        figures[f"latency {percentile}"] = "-" if value is None else f"{value:.0f} ms"
    per_frame = summary.instances_total / max(summary.frames_out, 1)
    figures["instances per frame"] = f"{per_frame:.1f}"
    if summary.flicker is not None:
        figures["flicker"] = f"{summary.flicker:.3f}"
    return figures


def _noticed(summary: ReplaySummary) -> list[str]:
    counts = summary.events["counts"]
    lines = [f"{kind.replace('_', ' ')}: {count} times" for kind, count in counts.items()]
    for event in summary.events["first"][:5]:
        kind = event["kind"].replace("_", " ")
        lines.append(f"frame {event['frame']}: {kind}, {event['step_s']:+.3f} s")
    told = set(summary.problems)
    return lines + [line for line in summary.damage if line not in told]


def scores_section(scores: Mapping[str, Any] | None, all_curves: Mapping[str, Any] | None) -> str:
    """Scores per class and precision over recall; nothing without ground truth."""
    if not scores or all_curves is None:
        return ""
    mean = {**scores, "IoU": scores["mIoU"]}
    rows = [
        "<td>" + escape(name) + "</td>" + "".join(charts.meter(values[s]) for s in _CLASS_SCORES)
        for name, values in scores["classes"].items()
    ]
    rows.append(
        '<tr class="total"><td>all</td>'
        + "".join(charts.meter(mean[s]) for s in _CLASS_SCORES)
        + "</tr>"
    )
    known = {name: values for name, values in all_curves.items() if values is not None}
    return html.section(
        f"Scores on {scores['frames']} frames",
        html.grid(
            html.card("per class", html.table(("class", *_CLASS_SCORES), rows)),
            html.card(
                "precision over recall at IoU .50", charts.curves(known, "recall", "precision")
            ),
        ),
    )


def _speed(summary: ReplaySummary, frames: Sequence[Mapping[str, Any]]) -> str:
    latencies = [row["latency_ms"] for row in frames]
    known = [value for value in latencies if value is not None]
    states = ["answered" if row["answered"] else "lost" for row in frames]
    percentiles = summary.latency_ms
    stages = [
        f"<td>{escape(stage)}</td>"
        + "".join(f'<td class="number">{values[p]:.2f}</td>' for p in ("p50", "p95", "p99"))
        for stage, values in summary.stage_ms.items()
    ]
    queue = " (waiting in line included)" if summary.policy == "every" else ""
    return html.section(
        "Speed",
        html.grid(
            html.card(
                f"latency from image to masks{queue}",
                charts.histogram(known, percentiles, "milliseconds"),
            ),
            html.card("latency by frame", charts.timeline({"latency": latencies}, "frame", "ms")),
            html.card("frames answered", charts.strip(states, _STATES)),
            html.card(
                "stages in the node, milliseconds",
                html.table(("stage", "p50", "p95", "p99"), stages),
            ),
        ),
    )


def _over_time(frames: Sequence[Mapping[str, Any]]) -> str:
    counts = {"found": [row["instances"] for row in frames]}
    cards = []
    if any("truth" in row for row in frames):
        counts["true"] = [row.get("truth") for row in frames]
        quality = {"quality": [row.get("quality") for row in frames]}
        cards.append(
            html.card(
                "quality by frame (IoU found / (tp + fp/2 + fn/2))",
                charts.timeline(quality, "frame", "quality", top=1.0),
            )
        )
    flicker = {"flicker": [row["flicker"] for row in frames]}
    return html.section(
        "Over time",
        html.grid(
            html.card("instances by frame", charts.timeline(counts, "frame", "instances")),
            *cards,
            html.card(
                "flicker: share of the instances that appeared, vanished or changed class since "
                "the frame before; those that only moved do not count",
                charts.timeline(flicker, "frame", "flicker", top=1.0),
            ),
        ),
    )


def _made_with(summary: ReplaySummary) -> str:
    model = summary.model_card
    facts = {
        "file": model["file"],
        "size": f"{model['bytes'] / 1e6:.1f} MB",
        "SHA-256": model["sha256"],
        "classes": ", ".join(model["classes"].values()),
    }
    run = {
        "cameras": ", ".join(summary.cameras),
        "policy": summary.policy,
        "rate": summary.rate or "as fast as nothing is lost",
        **summary.parameters,
        "digest": summary.digest,
    }
    return html.section(
        "Made with",
        html.grid(
            html.card("run", html.facts(run)),
            html.card("environment", html.facts(summary.environment)),
            html.card("model", html.facts(facts) + html.folded("model card", model["card"])),
        ),
    )
