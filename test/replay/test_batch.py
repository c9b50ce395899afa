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

"""Batch replay: bag by bag, resumable, merged; a worker that dies loses nothing."""

import json
import os
import signal
import threading
import time

import pytest

from support.bag_files import INSTANCES, write_painted_bag

pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("distributed", reason="Dask is not installed (requirements-batch.txt)")

from ssap_ros.common.outputs import RECORD, write_json
from ssap_ros.errors import InputError
from ssap_ros.replay.batch import bags_of, replay_batch
from ssap_ros.replay.play.play import PlayOptions
from ssap_ros.replay.replay import ReplayOptions

N_BAGS = 2
pytestmark = pytest.mark.timeout(300)  # several nodes start one after the other


@pytest.fixture(scope="module")
def drives(tmp_path_factory):
    """Two good bags of 6 and 7 frames, and text that calls itself a bag."""
    folder = tmp_path_factory.mktemp("drives")
    for number in range(N_BAGS):
        write_painted_bag(folder / f"drive{number}.mcap", 6 + number)
    (folder / "text.mcap").write_text("This is no recording.\n" * 200)
    return folder


@pytest.fixture(scope="module")
def options(toy_model_path):
    return ReplayOptions(
        gt_instances=(INSTANCES,), play=PlayOptions("every", model=str(toy_model_path))
    )


@pytest.fixture(scope="module")
def alone(drives, options, tmp_path_factory):
    """The drives, replayed in this process: its folder and its summary."""
    out = tmp_path_factory.mktemp("alone")
    return out, replay_batch(bags_of([str(drives)]), out, options)


def stable(summary):
    """What does not depend on how fast things went."""
    values = summary.as_dict()
    kept = ("frames_in", "frames_out", "scores", "curves", "instances_total", "problems")
    digests = [(bag["name"], bag.get("digest")) for bag in values["bags"]]
    return {**{name: values[name] for name in kept}, "digests": digests}


def test_merged_report(alone):
    out, summary = alone
    assert summary.frames_in == summary.frames_out == summary.scores["frames"] == 13
    assert summary.scores["AP50"] == 1
    assert [bag.name for bag in summary.bags] == ["drive0", "drive1", "text"]
    (problem,) = summary.problems
    assert problem.startswith("text: not a ROS 2 bag")
    assert json.loads((out / "summary.json").read_text()) == summary.as_dict()
    page = (out / "report.html").read_text()
    assert 'href="drive1/report.html"' in page
    assert (out / "drive1" / "report.html").exists()
    assert [path.name for path in out.glob(".*")] == [RECORD]


def test_nothing_is_replayed_twice_but_what_has_changed(alone, drives, options):
    out, summary = alone
    made = {path: path.stat().st_mtime_ns for path in out.glob("drive*/summary.json")}
    os.utime(drives / "drive1.mcap")
    again = replay_batch(bags_of([str(drives)]), out, options)
    assert stable(again) == stable(summary)
    changed = [path.parent.name for path, time in made.items() if path.stat().st_mtime_ns != time]
    assert changed == ["drive1"]


def test_a_partial_result_is_tried_again(alone, drives, options):
    """It may have been the machine."""
    out, summary = alone
    path = out / "drive0" / "summary.json"
    one = json.loads(path.read_text())
    write_json(path, {**one, "problems": ["1 of 6 frames have no output: 3"]})
    assert stable(replay_batch(bags_of([str(drives)]), out, options)) == stable(summary)
    assert json.loads(path.read_text())["problems"] == []


def test_worker_killed_in_the_middle(alone, drives, options, tmp_path):
    """Two workers; the first that has a bag in work is killed."""
    out = tmp_path / "out"
    killed = []

    def kill_one():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not killed:
            for log in out.glob(".drive*/*/node.log"):
                worker = int(log.parents[1].name.rsplit(".", 1)[1])
                os.kill(worker, signal.SIGKILL)
                killed.append(worker)
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_one)
    killer.start()
    summary = replay_batch(bags_of([str(drives)]), out, options, workers=2)
    killer.join()
    assert killed
    assert stable(summary) == stable(alone[1])
    assert [path.name for path in out.glob(".*")] == [RECORD]


def test_bags_of_the_command_line(drives, tmp_path):
    names = [bag.name for bag in bags_of([str(drives / "drive1.mcap"), str(drives)])]
    assert names == ["drive1.mcap", "drive0.mcap", "text.mcap"]
    with pytest.raises(InputError, match="no such file"):
        bags_of([str(drives), "/nowhere"])
    with pytest.raises(InputError, match="no bags in"):
        bags_of([str(tmp_path)])
