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

"""Many bags on many machines: bag by bag, resumable, one merged report.

All machines see the bags and the output folder under the same paths. The result of a bag appears in
its folder as a whole or not at all; the bag of a worker that dies is replayed by another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ssap_ros import __version__
from ssap_ros.backends import model_path
from ssap_ros.common.outputs import claim_folder, claim_tree, write_json
from ssap_ros.common.progress import hide_progress, progress
from ssap_ros.common.statistics import percentiles
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError, ModelError, NodeError, one_line
from ssap_ros.evaluation.workers import Workers, map_items
from ssap_ros.replay.bags.ground_truth import ByStamp
from ssap_ros.replay.bags.reader import find_bags, is_bag
from ssap_ros.replay.play.play import camera_names
from ssap_ros.replay.replay import (
    FRAMES,
    REPORT,
    SUMMARY,
    ReplayOptions,
    open_truths,
    replay,
)
from ssap_ros.replay.report.pages import write_page
from ssap_ros.replay.review.camera_record import topic_prefix
from ssap_ros.replay.review.digest import file_digest, frame_digest
from ssap_ros.replay.review.predictions import prediction_of, read_output, scored_as
from ssap_ros.replay.review.review import RECORDING
from ssap_ros.replay.review.scores import ReplayScores
from ssap_ros.replay.review.shown import ShownInstances
from ssap_ros.replay.summary import BATCH_SCORES, BagSummary, BatchSummary, ReplaySummary

_KEY = "batch.json"


@dataclass(frozen=True)
class BagResult:
    """What became of one bag.

    Attributes:
        error: Why there is no summary; empty if there is one.
    """

    name: str
    summary: ReplaySummary | None
    scores: ReplayScores | None
    error: str = ""


def bags_of(sources: Sequence[str]) -> list[Path]:
    """Find the bags that files and folders on the command line mean.

    Returns:
        Each once, in their order.

    Raises:
        InputError: There are none.
    """
    bags: list[Path] = []
    for source in map(Path, sources):
        if not source.exists():
            raise InputError(f"no such file or folder: {source}")
        found = [source] if is_bag(source) else find_bags(source) if source.is_dir() else []
        if not found:
            raise InputError(f"no bags in {source}")
        bags += [bag for bag in found if bag not in bags]
    return bags


def replay_batch(
    bags: Sequence[Path], out: Path, options: ReplayOptions, workers: Workers = 1
) -> BatchSummary:
    """Replay every bag into a folder of its own under `out`; write one merged summary and report.

    A bag whose whole result is there already, made with the same file, options, model and version
    of this package, is not replayed again. A bag that cannot be replayed is named under `problems`
    of the summary; the others go on.

    Args:
        bags: Files and folders, see bags_of.
        out: Gets summary.json, report.html and a folder per bag.
        options: The same for all bags.
        workers: See map_items.

    Returns:
        What summary.json holds.

    Raises:
        InputError: `out` cannot be written to, or holds files of the user.
    """
    names = _names(bags)
    claim_folder(out, [SUMMARY, REPORT], bags)
    for name in names:
        claim_tree(out / name)
    items = list(zip(map(str, bags), names, strict=True))
    work = partial(_replay_one, out, options, os.getpid())
    with progress("batch", "bags") as show:
        results = map_items(work, items, workers, show)
    for name in names:  # what workers that died have left
        for attempt in out.glob(f".{glob.escape(name)}.*"):
            shutil.rmtree(attempt, ignore_errors=True)
    summary = _merged(results, out)
    write_json(out / SUMMARY, summary.as_dict())
    _write_report(out / REPORT, summary)
    return summary


def _names(bags: Sequence[Path]) -> list[str]:
    """A folder name for each bag: its own, with a number where two are the same."""
    names: list[str] = []
    for bag in bags:
        stem = bag.stem if bag.is_file() else bag.name
        candidates = itertools.chain([stem], (f"{stem}_{k}" for k in itertools.count(2)))
        names.append(next(name for name in candidates if name not in names))
    return names


def _replay_one(out: Path, options: ReplayOptions, caller: int, item: tuple[str, str]) -> BagResult:
    """One bag: what is there already, or a new replay. caller: the process that shows progress."""
    source, name = item
    folder = out / name
    hide_progress(os.getpid() != caller)
    try:
        key = _key(source, options)
        if not _done(folder, key):
            attempt = out / f".{name}.{os.uname().nodename}.{os.getpid()}"
            shutil.rmtree(attempt, ignore_errors=True)
            replay(source, attempt, options)
            write_json(attempt / _KEY, key)
            shutil.rmtree(folder, ignore_errors=True)
            attempt.rename(folder)
        summary = _read_summary(folder)
        return BagResult(name, summary, rescore(source, folder, options))
    except (InputError, ModelError, NodeError) as error:
        return BagResult(name, None, None, one_line(error))


def rescore(source: str, folder: Path, options: ReplayOptions) -> ReplayScores | None:
    """Score a replay once more, from its recording.

    Returns:
        The scores; None without truth.

    Raises:
        InputError: The recording is not the one that was summarised.
    """
    if not options.gt_instances:
        return None
    summary = _read_summary(folder)
    rows = json.loads((folder / FRAMES).read_bytes())
    classes = {int(k): name for k, name in summary.model_card["classes"].items()}
    recording = folder / RECORDING
    with contextlib.ExitStack() as stack:
        truths = open_truths(stack, source, options, classes)
        outputs = []
        for name in camera_names(summary.cameras):
            topics = [f"{topic_prefix(name)}{kind}" for kind in ("instances", "detections")]
            outputs.append([stack.enter_context(ByStamp(recording, t)) for t in topics])
        scores = ReplayScores(truths[0].classes)
        shown = [ShownInstances.of(summary) for _ in outputs]
        for row in rows:
            if row["digest"] is None:
                continue
            camera, stamp = row["camera"], row["stamp"]
            raw = [topic.take(stamp) for topic in outputs[camera]]
            if raw[0] is None or raw[1] is None:
                raise InputError(f"{recording} lacks the output for frame {row['index']}")
            output = read_output(raw[0].raw, raw[1].raw)
            if frame_digest(output.labels, output.detections) != row["digest"]:
                raise InputError(f"{recording} has another output for frame {row['index']}")
            found = prediction_of(output.labels, output.detections, output.labels.shape)
            is_shown = shown[camera](found, stamp)
            truth = truths[camera].at(stamp)
            if truth is not None:
                scores.add(scored_as(found, truths[camera]), is_shown, truth)
    return scores


def _key(source: str, options: ReplayOptions) -> dict[str, Any]:
    """What a result depends on."""
    path = Path(source)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {
        "source": str(path.resolve()),
        "files": [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files],
        "options": json.loads(json.dumps(dataclasses.asdict(options))),
        "model": file_digest(model_path(SsapConfig(model_file_path=options.play.model))),
        "version": __version__,
    }


def _done(folder: Path, key: dict[str, Any]) -> bool:
    try:
        summary = _read_summary(folder)
        return json.loads((folder / _KEY).read_bytes()) == key and not summary.problems
    except (OSError, ValueError, KeyError):
        return False


def _read_summary(folder: Path) -> ReplaySummary:
    return ReplaySummary.from_dict(json.loads((folder / SUMMARY).read_bytes()))


def _merged(results: Sequence[BagResult], out: Path) -> BatchSummary:
    bags = [BagSummary(result.name, result.error, result.summary) for result in results]
    summaries = [result.summary for result in results if result.summary is not None]
    problems = [f"{bag.name}: {bag.error}" for bag in bags if bag.error]
    problems += [f"{b.name}: {line}" for b in bags if b.replay for line in b.replay.problems]
    latencies: list[float] = []
    classes: Counter[str] = Counter()
    for bag in bags:
        if bag.replay is not None:
            rows = json.loads((out / bag.name / FRAMES).read_bytes())
            latencies += [row["latency_ms"] for row in rows if row["latency_ms"] is not None]
            classes.update(bag.replay.classes)
    counts = ("frames_in", "frames_out", "frames_dropped", "frames_failed", "frames_unreadable")
    scored = [result.scores for result in results if result.scores is not None]
    total = None
    if scored and any(scores.classes != scored[0].classes for scores in scored):
        problems.append("the bags have truth of different classes, their scores are not merged")
    elif scored:
        total = ReplayScores(scored[0].classes)
        for scores in scored:
            total.merge(scores)
    return BatchSummary(
        **{name: sum(getattr(summary, name) for summary in summaries) for name in counts},
        problems=problems,
        latency_ms=percentiles(latencies),
        instances_total=classes.total(),
        classes=dict(classes.most_common()),
        bags=bags,
        scores=None if total is None else total.result(),
        curves=None if total is None else total.curves(),
    )


def _write_report(path: Path, summary: BatchSummary) -> None:
    scores = summary.scores or {}
    write_page(
        path,
        "batch.html",
        title=f"Replay of {len(summary.bags)} bags",
        subtitle="merged over all frames",
        badge="partial" if summary.problems else "whole",
        summary={"scores": None, "curves": None, **summary.as_dict()},
        figures={
            "bags": f"{summary.replayed} / {len(summary.bags)}",
            "frames processed": f"{summary.frames_out} / {summary.frames_in}",
            **{n: f"{scores[n]:.3f}" for n in BATCH_SCORES if scores.get(n) is not None},
        },
        scores=BATCH_SCORES,
        page=REPORT,
    )
