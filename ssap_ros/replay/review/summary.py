"""The figures of a replay: counts, speed, scores, and whether the result is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssap_ros.replay.play.play import Playback
from ssap_ros.replay.review.digest import run_digest
from ssap_ros.replay.review.review import Review
from ssap_ros.replay.sources import FrameSource

_NAMED = 6  # frames without an answer that a message names
SCORES = ("AP", "AP50", "PQ", "SQ", "RQ", "mIoU")


def summarise(
    source: FrameSource,
    playback: Playback,
    reviewed: Review,
    policy: str,
    damage: Sequence[str],
) -> dict[str, Any]:
    """What summary.json says about the frames.

    damage: what is wrong with the truth as far as it was read.

    digest: over camera, stamp, masks and detections of every frame. problems: why the result is
    partial, empty if it is whole. Under the policy "every" each frame must have exactly one answer,
    and each frame of the source must have been readable.
    """
    frames = reviewed.rows
    flicker = [row["flicker"] for row in frames if row["flicker"] is not None]
    books = playback.ledger.summary(playback.failed, playback.node_values)
    problems = []
    if policy == "every":
        lost = [row["index"] for row in frames if not row["answered"]]
        if lost:
            named = ", ".join(map(str, lost[:_NAMED])) + (", ..." if len(lost) > _NAMED else "")
            why = f" (the node: {playback.error})" if playback.error else ""
            problems.append(f"{len(lost)} of {len(frames)} frames have no answer: {named}{why}")
        problems += _damage(source)
    if playback.ledger.unexpected:
        problems.append(f"{playback.ledger.unexpected} answers belong to no frame or came twice")
    problems += damage
    summary = {
        "cameras": list(source.cameras),
        **books,
        "frames_unreadable": source.skipped,
        "problems": list(dict.fromkeys(problems)),
        "damage": _damage(source),
        "events": {"counts": dict(playback.stamps.counts), "first": playback.stamps.events},
        "digest": run_digest((row["camera"], row["stamp"], row["digest"]) for row in frames),
        "instances_total": reviewed.instances.total(),
        "classes": dict(reviewed.instances.most_common()),
        "flicker": round(sum(flicker) / len(flicker), 6) if flicker else None,
    }
    if reviewed.scores:
        summary["scores"] = reviewed.scores.result()
        summary["curves"] = reviewed.scores.curves()
        unscored = sum(row["answered"] and "quality" not in row for row in frames)
        summary["frames_without_truth"] = unscored
        if reviewed.scores.n_frames == 0:
            summary["problems"].append("no frame that was answered has a truth of its stamp")
    return summary


def describe(summary: dict[str, Any], out: Path) -> str:
    """What was seen, how well and how fast, and where the results are, in plain words."""
    answered, total = summary["frames_out"], summary["frames_in"]
    mean = {name: count / max(answered, 1) for name, count in summary["classes"].items()}
    seen = ", ".join(f"{name} {share:.1f}" for name, share in mean.items())
    lost = [
        f"{summary[key]} {words}"
        for key, words in (
            ("frames_dropped", "skipped to keep up"),
            ("frames_failed", "could not be processed"),
            ("frames_unreadable", "more could not be read"),
        )
        if summary[key]
    ]
    lines = [
        f"{answered} of {total} frames of {summary['source']} answered"
        + (f" ({', '.join(lost)})" if lost else ""),
        f"seen per frame, on average: {seen or 'nothing'}",
    ]
    scores = summary.get("scores", {})
    known = [f"{name} {scores[name]:.3f}" for name in SCORES if scores.get(name) is not None]
    if known:
        bare = summary["frames_without_truth"]
        others = f" ({bare} have no truth)" if bare else ""
        lines.append(f"scores on {scores['frames']} frames{others}: {', '.join(known)}")
    latency = f", {summary['latency_ms']['p50']:.0f} ms from image to masks" if answered else ""
    lines.append(f"speed: {summary['fps']:.1f} frames/s with {summary['backend']}{latency}")
    for kind, count in summary["events"]["counts"].items():
        lines.append(f"noticed: {kind.replace('_', ' ')} ({count} times)")
    lines += [f"damaged: {line}" for line in summary["damage"]]
    lines.append(f"report, recording and pictures: {out}")
    return "\n".join(lines)


def _damage(source: FrameSource) -> list[str]:
    unreadable = [f"{source.skipped} frames cannot be read"] if source.skipped else []
    return [*unreadable, *source.damage]
