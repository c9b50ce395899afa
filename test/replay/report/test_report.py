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

"""The report: one file that needs nothing else, with all its parts, and fit for a real browser."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from ssap_ros.replay.report import charts
from ssap_ros.replay.report.pages import write_page
from ssap_ros.replay.report.report import write_report
from ssap_ros.replay.report.sample_frames import FrameSelection
from ssap_ros.replay.summary import ReplaySummary

N_FRAMES = 900
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
VOID_TAGS = {"meta", "img", "br", "line", "rect", "path", "circle"}


def example(*, scored=True, problems=()):
    """Summary, frames and selections of a replay that never was; names want escaping."""
    rng = np.random.default_rng(0)
    frames = []
    for index in range(N_FRAMES):
        lost = index % 100 == 99
        row = {
            "index": index, "camera": 0, "stamp": index, "logged": index, "answered": not lost,
            "latency_ms": None if lost else float(rng.gamma(9, 4)),
            "instances": None if lost else int(rng.integers(0, 9)),
            "flicker": None if lost or index == 0 else float(rng.random()),
            "digest": None if lost else "ab" * 32,
        }  # fmt: skip
        if scored and not lost:
            row.update(tp=1.0, fp=0.0, fn=1.0, iou=0.8, quality=float(rng.random()), truth=4)
        frames.append(row)
    one = dict.fromkeys(("AP", "AP50", "PQ", "SQ", "RQ"), 0.5)
    unknown = dict.fromkeys((*one, "IoU"))
    summary = {
        "source": "drives/<b>rain & night.mcap", "cameras": ["/camera/image"],
        "frames_in": N_FRAMES, "frames_out": N_FRAMES - 9, "frames_dropped": 9,
        "frames_failed": 0, "answers_unexpected": 0, "frames_unreadable": 0, "model": "m.onnx",
        "fps": 24.9, "jitter_ms": 1.5, "latency_ms": {"p50": 36.1, "p95": 58.0, "p99": 80.2},
        "stage_ms": {s: {"p50": 1.0, "p95": 2.0, "p99": 3.0} for s in ("preprocess", "inference")},
        "backend": "onnxruntime", "problems": list(problems), "damage": ["cut & dried"],
        "events": {"counts": {"out_of_order": 2}, "first": [
            {"kind": "out_of_order", "frame": 7, "camera": 0, "step_s": -0.1}]},
        "digest": "cd" * 32, "instances_total": 3000, "classes": {"car": 3000}, "flicker": 0.5,
        "policy": "every", "rate": 0.0, "score_threshold": 0.4, "parameters": {"a": 1},
        "model_card": {"file": "m.onnx", "bytes": 5, "sha256": "ef" * 32, "classes": {"1": "car"},
                       "card": "# Card\n<script>alert(1)</script>"},
        "environment": {"processor": "some", "cores": "2"},
    }  # fmt: skip
    if scored:
        classes = {"car": {**one, "IoU": 0.6}, "<tram>": unknown}
        summary["scores"] = {"frames": N_FRAMES, **one, "mIoU": 0.6, "classes": classes}
        summary["curves"] = {"car": np.linspace(1, 0, 101).tolist(), "<tram>": None}
    selection = FrameSelection("Worst frames", spread=15)
    picture = np.full((60, 90, 3), (200, 40, 40), np.uint8)
    for index in range(0, 90, 15):
        pictures = {"truth": picture, "found": picture}
        selection.offer(index, (0.1, 0), f"frame {index}", lambda shown=pictures: shown)
    return ReplaySummary.from_dict(summary), frames, [selection]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, *example(problems=["9 of 900 frames have no output"]))
    return path


class _Checker(HTMLParser):
    """Every tag that opens is closed, and nothing is fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.references, self.text = [], [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID_TAGS:
            self.open.append(tag)
        self.references += [v for k, v in attributes if k in ("src", "href", "data", "action")]

    def handle_endtag(self, tag):
        if tag not in VOID_TAGS:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def check(path):
    checker = _Checker()
    checker.feed(path.read_text())
    assert checker.open == []
    return checker


def test_one_file_that_fetches_nothing(page):
    checker = check(page)
    assert checker.references
    assert all(reference.startswith("data:image/jpeg;base64,") for reference in checker.references)
    text = page.read_text()
    assert not re.search(r"url\(|@import|https?://|//cdn", text)
    assert "link" not in checker.tags


def test_all_parts_are_there(page):
    checker = check(page)
    for words in (
        "Replay of", "partial", "9 of 900 frames have no output", "out of order: 2 times",
        "frame 7: out of order, -0.100 s", "cut & dried", "891 / 900", "per class",
        "precision over recall", "latency by frame", "frames processed", "stages in the node",
        "instances by frame", "flicker", "quality by frame", "Worst frames", "frame 75",
        "environment", "model card", "ef" * 32,
    ):  # fmt: skip
        assert words in checker.text, words
    assert checker.tags.count("svg") == 7
    assert checker.tags.count("img") == 2 * 6 + 1


def test_names_are_shown_not_run(page):
    checker = check(page)
    assert "Replay of <b>rain & night.mcap" in checker.text
    assert "<tram>" in checker.text
    assert checker.tags.count("script") == 1


def test_without_truth_and_without_anything(tmp_path):
    write_report(tmp_path / "plain.html", *example(scored=False))
    text = check(tmp_path / "plain.html").text
    assert "whole" in text
    assert "precision over recall" not in text
    assert "quality by frame" not in text
    summary, _, _ = example(scored=False)
    summary = replace(
        summary,
        frames_in=0,
        frames_out=0,
        flicker=None,
        events={"counts": {}, "first": []},
        latency_ms=dict.fromkeys(("p50", "p95", "p99")),
    )
    write_report(tmp_path / "empty.html", summary, [], [])
    check(tmp_path / "empty.html")


def test_charts_draw_what_they_are_given():
    line = charts.timeline({"a": [0.0, None, 5.0, 10.0]}, "frame", "ms")
    (path,) = re.findall(r'class="line s0" d="([^"]+)"', line)
    assert path.count("M") == 2  # a gap
    ys = [float(point.split()[1]) for point in re.split("[ML]", path)[1:]]
    assert ys[0] > ys[1] > ys[2]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.2)
    bars = charts.histogram([1.0, 1.1, 5.0], {"p50": 1.1}, "ms")
    assert sum(int(n) for n in re.findall(r": (\d+) frames", bars)) == 3
    states = ["answered"] * 1000
    states[500] = "lost"
    drops = charts.strip(states, {"lost": "no output", "answered": "answered"})
    assert drops.count('class="state lost"') == 1  # one of a thousand is not drowned
    assert "no output: 1" in drops
    assert charts.nice_ceiling([0.0]) == 1
    for value in (0.03, 1, 3.2, 7, 99, 1234):
        assert value <= charts.nice_ceiling([value]) <= 2.5 * value


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (apt install chromium)")
@pytest.mark.parametrize("width", [1240, 420])
def test_in_a_browser(page, tmp_path, width):
    """Laid out within the window, every picture decoded, the dialog opens; and it is no blank."""
    probe = """<script>
      document.querySelector(".row img").click();
      const pictures = [...document.querySelectorAll(".row img")];
      document.title = JSON.stringify({
        overflow: document.documentElement.scrollWidth - window.innerWidth,
        broken: pictures.filter(p => !(p.complete && p.naturalWidth === 90)).length,
        dialog: document.getElementById("large").open,
        charts: [...document.querySelectorAll("svg")].map(s => s.getBoundingClientRect().height),
      });
      document.getElementById("large").close();
    </script>"""
    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text().replace("</body>", f"{probe}</body>"))
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},1400", "--virtual-time-budget=5000",
    ]  # fmt: skip

    def browse(*options):
        return subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=100, check=True
        ).stdout

    dom = browse("--dump-dom", probed.as_uri())
    found = json.loads(re.search(r"<title>(.*?)</title>", dom)[1])
    assert found["overflow"] <= 0
    assert found["broken"] == 0
    assert found["dialog"]
    assert min(found["charts"]) > 10

    picture = tmp_path / "page.png"
    browse(f"--screenshot={picture}", page.as_uri())
    pixels = cv2.imread(str(picture))
    assert pixels.shape[1] == width
    colours = np.unique(pixels.reshape(-1, 3), axis=0)
    assert len(colours) > 50


def test_every_page_escapes_what_it_shows(tmp_path):
    base = {"title": "<i>", "subtitle": "<i>", "badge": "partial", "figures": {"<i>": "<i>"}}
    bag = {
        "name": "<i>", "error": "", "frames_in": 1, "frames_out": 1, "fps": 2.0, "AP": 0.25,
        "latency_ms": {"p50": None}, "flicker": None,
    }  # fmt: skip
    summary = {
        "problems": ["<i>"], "scores": None, "curves": None,
        "bags": [bag, {"name": "<i>", "error": "<i>"}],
    }  # fmt: skip
    batch = tmp_path / "batch.html"
    write_page(batch, "batch.html", **base, summary=summary, scores=("AP",), page="report.html")
    change = {"before": 1.0, "after": 0.5, "change": -0.5}
    result = {"failures": ["<i>"], "metrics": {"AP": change, "fps": dict.fromkeys(change)}}
    comparison = tmp_path / "comparison.html"
    write_page(
        comparison, "comparison.html", **base, result=result, more_is_better={"AP": True}, frames=[]
    )
    for path in (batch, comparison):
        assert check(path).text.count("<i>") >= 5
        assert "<i>" not in path.read_text()
    assert "0.250" in check(batch).text
    assert 'class="number worse">-0.5<' in comparison.read_text()
