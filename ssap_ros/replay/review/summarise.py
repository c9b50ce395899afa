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

"""From what came out of a replay to its summary: counts, speed, scores, and whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssap_ros.replay.frames import FrameSource
from ssap_ros.replay.play.play import Playback
from ssap_ros.replay.review.digest import run_digest
from ssap_ros.replay.review.review import Review
from ssap_ros.replay.summary import ReplaySummary

_NAMED = 6  # frames without an output that a message names


def summarise(
    source: FrameSource,
    playback: Playback,
    reviewed: Review,
    policy: str,
    truth_damage: Sequence[str],
    made_with: Mapping[str, Any],
) -> ReplaySummary:
    """Sum up a replay.

    Under the policy "every" each frame must have exactly one result, and each frame of the source
    must have been readable.

    Args:
        source: What was played.
        playback: How the play went.
        reviewed: What came out of it.
        policy: "every" or "latest".
        truth_damage: What is wrong with the truth, as far as it was read.
        made_with: The other fields of ReplaySummary.

    Returns:
        The summary.
    """
    frames = reviewed.rows
    flicker = [row["flicker"] for row in frames if row["flicker"] is not None]
    problems = []
    if policy == "every":
        lost = [row["index"] for row in frames if not row["answered"]]
        if lost:
            named = ", ".join(map(str, lost[:_NAMED])) + (", ..." if len(lost) > _NAMED else "")
            why = f" (the node: {playback.error})" if playback.error else ""
            problems.append(f"{len(lost)} of {len(frames)} frames have no output: {named}{why}")
        problems += _damage(source)
    if playback.tracker.unexpected:
        problems.append(f"{playback.tracker.unexpected} outputs belong to no frame or came twice")
    problems += truth_damage
    scored: dict[str, Any] = {}
    if playback.depth_values:
        depthless = sum(not entry.has_depth for entry in playback.tracker.entries)
        scored["frames_without_depth"] = depthless
        scored["objects_total"] = sum(row.get("objects", 0) for row in frames)
    if reviewed.scores_3d:
        scored["scores_3d"] = reviewed.scores_3d.result()
        if not reviewed.scores_3d.records:
            problems.append("no frame with objects in space has a truth of its stamp")
    if reviewed.scores:
        scored |= {
            "scores": reviewed.scores.result(),
            "curves": reviewed.scores.curves(),
            "frames_without_truth": sum(row["answered"] and "quality" not in row for row in frames),
        }
        if reviewed.scores.n_frames == 0:
            problems.append("no frame with a result has a truth of its stamp")
    return ReplaySummary(
        **vars(playback.tracker.figures(playback.failed, playback.node_values)),
        cameras=list(source.cameras),
        frames_unreadable=source.skipped,
        problems=list(dict.fromkeys(problems)),
        damage=_damage(source),
        events={"counts": dict(playback.stamps.counts), "first": playback.stamps.events},
        digest=run_digest((row["camera"], row["stamp"], row["digest"]) for row in frames),
        instances_total=reviewed.instances.total(),
        classes=dict(reviewed.instances.most_common()),
        flicker=round(sum(flicker) / len(flicker), 6) if flicker else None,
        policy=policy,
        **scored,
        **made_with,
    )


def _damage(source: FrameSource) -> list[str]:
    unreadable = [f"{source.skipped} frames cannot be read"] if source.skipped else []
    return [*unreadable, *source.damage]
