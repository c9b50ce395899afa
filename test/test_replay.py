"""Replay: the books balance, and a clip goes through the real node over DDS."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from toy_model import paint

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.backends import ModelError
from ssap_ros.errors import NodeError
from ssap_ros.evaluation.ledger import Ledger, describe
from ssap_ros.evaluation.pictures import PictureBook
from ssap_ros.evaluation.replay import replay

PERSON, CAR = 1, 3


def balanced(summary):
    parts = ("frames_out", "frames_dropped", "frames_failed")
    assert all(summary[part] >= 0 for part in parts)
    return summary["frames_in"] == sum(summary[part] for part in parts)


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
    summary = replay(str(clip), out, policy="every", model=str(toy_model_path))
    assert balanced(summary)
    assert summary["frames_in"] == summary["frames_out"] == 6
    assert summary["classes"] == {"person": 6, "car": 6}
    assert summary["instances_total"] == 12
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
    told = describe(summary, out)
    assert "person 1.0" in told
    assert str(out) in told


def test_real_time_and_frames_that_cannot_be_processed(clip, toy_model_path, tmp_path):
    cv2.imwrite(str(clip / "3.png"), np.zeros((1, 1, 3), np.uint8))
    summary = replay(str(clip), tmp_path / "out", policy="latest", model=str(toy_model_path))
    assert balanced(summary)
    assert summary["frames_in"] == 6
    assert summary["frames_out"] >= 1


def test_model_that_the_node_rejects(clip, tmp_path):
    model = tmp_path / "text.onnx"
    model.write_text("This is no model.")
    with pytest.raises(ModelError, match=r"text\.onnx"):
        replay(str(clip), tmp_path / "out", model=str(model))


def test_node_that_dies_is_told(clip, toy_model_path, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(NodeError, match="exit code 1"):
        replay(str(clip), tmp_path / "out", model=str(toy_model_path))


def test_interrupt(toy_model_path, tmp_path):
    arguments = ["scenes", "--out", tmp_path, "--model", toy_model_path, "--max-frames", "15"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ssap_ros.cli", "replay", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "node.log").exists():
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
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


@pytest.mark.parametrize("seed", range(20))
def test_books_balance_whatever_the_node_answers(seed):
    rng = random.Random(seed)
    ledger = Ledger()
    n = rng.randrange(12)
    for stamp in range(n):
        ledger.send(stamp, float(stamp))
    expected = 0
    for stamp in range(n):
        answer = ledger.answers[stamp]
        masks, detections = rng.random() < 0.8, rng.random() < 0.8
        if masks:
            answer.masks_s = stamp + 0.5
        if detections:
            answer.class_ids = ["1"] * 2
        for _ in range(3):  # settled once
            ledger.settle(answer)
        expected += masks and detections
    summary = ledger.summary(rng.randrange(15), {"1": "person"}, {"total_ms": "1/2/3"})
    assert balanced(summary)
    assert summary["frames_out"] == ledger.frames_out == expected
    assert summary["instances_total"] == ledger.n_instances == 2 * expected
    assert summary["stage_ms"] == {"total": {"p50": 1.0, "p95": 2.0, "p99": 3.0}}
    if expected:
        assert summary["latency_ms"]["p50"] == pytest.approx(500)


def test_pictures_are_spread_and_prefer_instances(tmp_path):
    book = PictureBook(tmp_path, 10.0)
    n = 50
    for i in range(n):
        book.add(i, np.full((33, 47, 3), 4 * i, np.uint8), n_instances=int(i % 7 == 3))
    book.close()
    kept = [int(path.stem.removeprefix("frame_")) for path in sorted(tmp_path.glob("*.png"))]
    assert 3 <= len(kept) <= 8
    assert min(kept) < n / 4
    assert max(kept) > 3 * n / 4
    assert all(i % 7 == 3 for i in kept[:-1])


def test_video_fills_gaps(tmp_path):
    book = PictureBook(tmp_path, 10.0)
    for i in (0, 4, 5):
        book.add(i, np.full((32, 48, 3), 30 * i, np.uint8), 0)
    book.close()
    video = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    shades = [int(video.read()[1].mean()) for _ in range(6)]
    np.testing.assert_allclose(shades, [0, 0, 0, 0, 120, 150], atol=8)
    assert not video.grab()
