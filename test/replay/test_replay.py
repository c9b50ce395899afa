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

"""Replay: the counters balance, nothing is lost or doubled, real recordings give known scores."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from support.bag_files import (
    CAR,
    IMAGE,
    INSTANCES,
    PERSON,
    START,
    STEP,
    break_bag,
    painted_frame,
    to_folder,
    write_painted_bag,
)
from support.toy_model import paint

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.cli.command_line import main
from ssap_ros.common.outputs import RECORD
from ssap_ros.errors import InputError, ModelError, NodeError
from ssap_ros.replay.bags import messages
from ssap_ros.replay.bags.reader import BagReader
from ssap_ros.replay.bags.writer import BagWriter
from ssap_ros.replay.compare import Run, compare
from ssap_ros.replay.play.play import PlayOptions
from ssap_ros.replay.replay import ReplayOptions, replay
from ssap_ros.replay.summary import ReplaySummary
from support.replays import balanced, every

pytestmark = pytest.mark.timeout(300)  # a busy machine takes its time to start nodes


@pytest.fixture
def clip(tmp_path):
    """Six images: a person that walks towards a car."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for i in range(6):
        instances = np.zeros((128, 192), np.int32)
        instances[40:110, 10 + 6 * i : 34 + 6 * i] = 1
        instances[60:112, 90:180] = 2
        rgb = paint(instances, [PERSON, CAR])
        cv2.imwrite(str(folder / f"{i}.png"), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return folder


def test_clip_through_the_node(clip, toy_model_path, tmp_path):
    out = tmp_path / "out"
    summary = replay(str(clip), out, every(toy_model_path)).summary.as_dict()
    assert balanced(summary)
    assert summary["frames_in"] == summary["frames_out"] == 6
    assert summary["problems"] == []
    assert summary["classes"] == {"person": 6, "car": 6}
    assert summary["instances_total"] == 12
    assert summary["flicker"] == 0
    assert summary["source"] == str(clip)
    assert summary["model"] == str(toy_model_path)
    assert summary["backend"]
    latency = summary["latency_ms"]
    assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"]
    assert {"preprocess", "inference", "partition"} <= summary["stage_ms"].keys()
    assert summary["fps"] > 0

    assert json.loads((out / "summary.json").read_text()) == summary
    pictures = sorted(out.glob("frame_*.png"))
    assert len(pictures) >= 3
    assert cv2.imread(str(pictures[0])).shape == (128, 192, 3)
    video = cv2.VideoCapture(str(out / "overlay.mp4"))
    assert sum(1 for _ in iter(video.grab, False)) == 6
    reported = ReplaySummary.from_dict(summary).describe(out)
    assert "person 1.0" in reported
    assert str(out) in reported


def test_scores_of_a_bag(scored):
    """The toy model reads the painted truth from the pictures: every score is near 1."""
    _, out, summary = scored
    assert summary["problems"] == []
    scores = summary["scores"]
    assert scores["frames"] == summary["frames_out"] == 10
    for name in ("AP50", "RQ"):
        assert scores[name] == 1
    for name in ("AP", "PQ", "SQ", "mIoU"):
        assert 0.8 < scores[name] <= 1
    assert set(scores["classes"]["person"]) == {"AP", "AP50", "PQ", "SQ", "RQ", "IoU"}
    assert scores["classes"]["bus"]["AP"] is None
    assert summary["curves"]["car"][0] == 1
    rows = json.loads((out / "frames.json").read_text())
    assert [row["index"] for row in rows] == list(range(10))
    assert all((row["tp"], row["fp"], row["fn"]) == (2, 0, 0) for row in rows)


def test_events_in_the_stamps_are_reported(scored):
    summary = scored[2]
    counts = summary["events"]["counts"]
    assert counts == {"duplicate_stamp": 1, "out_of_order": 2}
    assert summary["events"]["first"][0] == {
        "kind": "duplicate_stamp", "frame": 3, "camera": 0, "step_s": 0.0,
    }  # fmt: skip


def test_recording_is_the_bag_of_the_outputs(scored):
    """At the times of the input, under the stamps of the input, in the node's own messages."""
    bag, out, _ = scored
    with BagReader(out / "recording.mcap") as reader, BagReader(bag) as source:
        assert set(reader.topics) == {
            "/ssap/instances", "/ssap/detections", "/ssap/overlay/compressed", "/ssap/label_info",
            "/ssap/annotations",
        }  # fmt: skip
        inputs = list(source.messages([IMAGE]))
        for topic in ("/ssap/instances", "/ssap/detections", "/ssap/overlay/compressed"):
            outputs = list(reader.messages([topic]))
            assert [m.logged for m in outputs] == [m.logged for m in inputs]
            for output, message in zip(outputs, inputs, strict=True):
                own, given = reader.decode(output).header, source.decode(message).header
                assert (own.stamp.sec, own.stamp.nanosec) == (given.stamp.sec, given.stamp.nanosec)
                assert own.frame_id == given.frame_id
        drawn = [reader.decode(m) for m in reader.messages(["/ssap/annotations"])]
        assert all(len(msg.points) == len(msg.texts) == 2 for msg in drawn)
        assert drawn[0].texts[0].text.split()[0] in ("person", "car")
        colours = {(c.r, c.g, c.b) for msg in drawn for c in [msg.points[0].outline_color]}
        assert len(colours) <= 2, "an object keeps its colour"
        labels = [reader.decode(m) for m in reader.messages(["/ssap/instances"])]
        boxes = [reader.decode(m) for m in reader.messages(["/ssap/detections"])]
    for image, array in zip(labels, boxes, strict=True):
        assert np.asarray(image.data).view("<u2").max() == len(array.detections) == 2


def test_two_replays_are_identical_and_another_storage_changes_nothing(
    scored, toy_model_path, tmp_path
):
    bag, out, summary = scored
    source = to_folder(bag, tmp_path / "sqlite", compression="MESSAGE")
    options = every(toy_model_path, gt_instances=(INSTANCES,))
    again = replay(str(source), tmp_path / "again", options).summary.as_dict()
    if find_spec("openvino"):
        assert summary["backend"].startswith("openvino"), "several threads, and bf16 where it is"
    assert again["digest"] == summary["digest"]
    assert again["scores"] == summary["scores"]
    recordings = [folder / "recording.mcap" for folder in (out, tmp_path / "again")]
    assert recordings[0].read_bytes() == recordings[1].read_bytes()
    result = compare(Run.load(out), Run.load(tmp_path / "again"))
    assert result.changed == result.failures == []


def test_several_cameras(toy_model_path, tmp_path):
    """Two topics of one bag, with truth of the one that shows what the other is true of."""
    bag = write_painted_bag(tmp_path / "bag.mcap", 3)
    options = every(toy_model_path, topics=(IMAGE, INSTANCES))
    summary = replay(str(bag), tmp_path / "out", options).summary.as_dict()
    assert summary["frames_in"] == summary["frames_out"] == 6
    assert summary["cameras"] == [IMAGE, INSTANCES]
    with BagReader(tmp_path / "out" / "recording.mcap") as reader:
        assert reader.topics["/ssap/camera_image/instances"].count == 3
        assert reader.topics["/ssap/camera_gt_instances/instances"].count == 3
    assert (tmp_path / "out" / "camera_image" / "overlay.mp4").exists()


def test_truth_of_several_cameras(toy_model_path, tmp_path):
    """Scores are over all of them, and of one set of classes."""
    good = write_painted_bag(tmp_path / "one.mcap", 2)
    for name, with_classes in (("same", True), ("other", False)):
        with BagReader(good) as reader, BagWriter(tmp_path / f"{name}.mcap") as bag:
            kept = [t for t in reader.topics.values() if with_classes or "gt/d" not in t.name]
            for topic in reader.topics.values():
                bag.add_topic(f"/left{topic.name}", topic.msgtype)
            for topic in kept:
                bag.add_topic(f"/right{topic.name}", topic.msgtype)
            for message in reader.messages(list(reader.topics)):
                bag.write(f"/left{message.topic}", message.logged, message.raw)
                if message.topic in {topic.name for topic in kept}:
                    bag.write(f"/right{message.topic}", message.logged, message.raw)
    options = every(
        toy_model_path,
        topics=(f"/left{IMAGE}", f"/right{IMAGE}"),
        gt_instances=(f"/left{INSTANCES}", f"/right{INSTANCES}"),
    )
    summary = replay(str(tmp_path / "same.mcap"), tmp_path / "out", options).summary.as_dict()
    assert summary["scores"]["frames"] == summary["frames_out"] == 4
    assert summary["scores"]["AP50"] == 1
    with pytest.raises(InputError, match=r"same classes.*got object on /right"):
        replay(str(tmp_path / "other.mcap"), tmp_path / "out", options)


def test_real_time_and_frames_that_cannot_be_processed(clip, toy_model_path, tmp_path):
    cv2.imwrite(str(clip / "3.png"), np.zeros((1, 1, 3), np.uint8))
    options = ReplayOptions(play=PlayOptions("latest", rate=2.0, model=str(toy_model_path)))
    summary = replay(str(clip), tmp_path / "out", options).summary.as_dict()
    assert balanced(summary)
    assert summary["frames_in"] == 6
    assert summary["frames_out"] >= 1


@pytest.mark.parametrize("policy", ["every", "latest"])
def test_every_message_of_a_bag_is_accounted_for(toy_model_path, tmp_path, policy):
    """Those that cannot be read, those that the node refuses, and those that it skips."""
    rng = random.Random(policy)
    kinds = ["good", "bgr8", "pixel", "encoding", "short", "cdr", "negative", "twice", "zero"]
    kinds += rng.choices(kinds, k=15)
    bag = tmp_path / "bag.mcap"
    with BagWriter(bag) as writer:
        writer.add_topic(IMAGE, messages.IMAGE)
        for number, kind in enumerate(kinds):
            logged = START + number * STEP
            stamp = {"negative": -STEP, "twice": START, "zero": 0}.get(kind, logged)
            rgb = painted_frame(number)[0][: 1 if kind == "pixel" else None]
            head = messages.header(stamp, "")
            encoding = {"bgr8": "bgr8", "encoding": "32FC1"}.get(kind, "rgb8")
            msg = messages.image(head, encoding, rgb[:, :1] if kind == "pixel" else rgb)
            if kind == "short":
                msg.data = msg.data[:-1]
            raw = messages.encode(msg)
            writer.write(IMAGE, logged, raw[:30] if kind == "cdr" else raw)
    options = ReplayOptions(play=PlayOptions(policy, rate=8.0, model=str(toy_model_path)))
    summary = replay(str(bag), tmp_path / "out", options).summary.as_dict()
    assert balanced(summary)
    unreadable = sum(kind in ("encoding", "short", "cdr", "negative") for kind in kinds)
    assert summary["frames_unreadable"] == unreadable, summary["damage"]
    assert summary["frames_in"] == len(kinds) - unreadable
    if policy == "every":
        assert summary["frames_out"] == summary["frames_in"]
    assert len(json.loads((tmp_path / "out" / "frames.json").read_text())) == summary["frames_in"]


def test_damaged_bag_gives_a_partial_result_that_says_so(scored, toy_model_path, tmp_path, capsys):
    """Cut, flipped and with a wrong schema: the command ends, in words."""
    codes = []
    for seed in (0, 2, 4):
        break_bag(scored[0], tmp_path / "broken.mcap", seed)
        arguments = ["replay", tmp_path / "broken.mcap", "--gt-instances", INSTANCES]
        arguments += ["--policy", "every", "--model", toy_model_path, "--out", tmp_path / "out"]
        codes.append(main([str(argument) for argument in arguments]))
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith("ssap: error: ") or codes[-1] == 0
    assert set(codes) == {1, 2}  # partial, and not to be read


def test_truth_of_no_frame_and_of_some(toy_model_path, tmp_path):
    """Scores of nothing are no result; a recording of which some frames have a truth is one."""
    for name, offset, n in (("none", 1, 0), ("some", 0, 2)):
        folder = tmp_path / name
        with BagWriter(folder / "bag_0.mcap") as bag:
            bag.add_topic(IMAGE, messages.IMAGE)
            bag.add_topic(INSTANCES, messages.IMAGE)
            for number in range(4):
                stamp = START + number * STEP
                rgb, labels, _ = painted_frame(number)
                bag.write(IMAGE, stamp, messages.image(messages.header(stamp, ""), "rgb8", rgb))
                if number % 2:
                    head = messages.header(stamp + offset, "")
                    bag.write(INSTANCES, stamp, messages.image(head, "mono16", labels))
        options = every(toy_model_path, gt_instances=(INSTANCES,))
        summary = replay(str(folder), tmp_path / "out", options).summary.as_dict()
        assert summary["scores"]["frames"] == n
        assert summary["frames_without_truth"] == 4 - n
        assert len(summary["problems"]) == (n == 0)
    assert "scores on 2 frames (2 have no truth)" in ReplaySummary.from_dict(summary).describe(
        tmp_path
    )


def test_truth_that_is_not_there(clip, toy_model_path, tmp_path):
    bag = write_painted_bag(tmp_path / "bag.mcap", 1)
    for source, topics, words in (
        (clip, (INSTANCES,), "ground-truth topics are in bags"),
        (bag, ("/nowhere",), "no topic /nowhere"),
        (bag, (INSTANCES, INSTANCES), "for each of 1 cameras"),
    ):
        with pytest.raises(InputError, match=words):
            replay(str(source), tmp_path / "out", every(toy_model_path, gt_instances=topics))
    topics = {"gt_instances": (INSTANCES,), "gt_detections": (IMAGE,)}
    with pytest.raises(InputError, match=r"must be .*Detection2DArray"):
        replay(str(bag), tmp_path / "out", every(toy_model_path, **topics))
    assert not (tmp_path / "out").exists()


def test_model_that_the_node_rejects(clip, tmp_path):
    model = tmp_path / "text.onnx"
    model.write_text("This is no model.")
    with pytest.raises(ModelError, match=r"text\.onnx"):
        replay(str(clip), tmp_path / "out", every(model))


def test_node_that_dies_is_reported(clip, toy_model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(NodeError, match="exit code 1"):
        replay(str(clip), tmp_path / "out", every(toy_model_path))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupt(toy_model_path, tmp_path, how):
    # a shell's background job, as these tests may be, has its children ignore the signal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = ["scenes", "--out", tmp_path, "--model", toy_model_path, "--max-frames", "2000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ssap_ros.cli", "replay", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    while f"/replay_{process.pid}" not in _command_lines():
        time.sleep(0.1)
    assert list(tmp_path.glob(".ssap-*"))
    process.send_signal(how)
    _, errors = process.communicate(timeout=100)
    # a shell says 130 for both: Python may end by the signal itself if it was importing just then
    assert process.returncode in (128 + how, -signal.SIGINT)
    assert "Traceback" not in errors
    assert sorted(os.listdir(tmp_path)) == [RECORD, "node.log"]
    deadline = time.monotonic() + 15
    while f"/replay_{process.pid}" in _command_lines():  # the node ends, too
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _command_lines():
    lines = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                lines.append(file.read())
        except OSError:
            continue
    return "\n".join(lines)
