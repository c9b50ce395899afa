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

"""A node that cannot start says why in one line and ends with exit code 2."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ssap_ros.node.start import unused_parameter_files

FILES = {
    "tab.yaml": "ssap:\n\tros__parameters: {}\n",
    "flat.yaml": "score_threshold: 0.5\n",
    "mixed.yaml": "/**:\n  ros__parameters:\n    cameras: [a, 1]\n",
    "none.yaml": "/**:\n  ros__parameters:\n    cameras: []\n",
    "text.yaml": "/**:\n  ros__parameters:\n    score_threshold: high\n",
    "low.yaml": "/**:\n  ros__parameters:\n    score_threshold: -1.0\n",
    "cut.yaml": "/**:\n  ros__parameters:\n    model_file_path: 'x\n",
    "other.yaml": "front:\n  ssap:\n    ros__parameters:\n      autostart: false\n",
    "wild.yaml": "/**:\n  ros__parameters:\n    autostart: false\n",
    "bom_crlf.yaml": "\ufeffssap:\r\n  ros__parameters:\r\n    autostart: false\r\n",
    "ünï cödé.yaml": '{"ssap": {"ros__parameters": {"autostart": false}}}',
    "star.yaml": "'*':\n  ros__parameters:\n    autostart: false\n",
    "binary.yaml": "\0\1\2",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def start(folder, arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "ssap_ros.node", "--ros-args", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--params-file", "absent.yaml"], {}, ["absent.yaml", "no such file"]),
        (["--params-file", "."], {}, ["--params-file ."]),
        *((["--params-file", name], {}, [name, "line"]) for name in ("tab.yaml", "mixed.yaml")),
        *((["--params-file", name], {}, [name]) for name in ("flat.yaml", "cut.yaml")),
        (["--params-file", "binary.yaml"], {}, ["binary.yaml"]),
        (["--params-file", "none.yaml"], {}, ["cameras must have a value like ['']"]),
        (["--params-file", "text.yaml"], {}, ["score_threshold", "STRING"]),
        (["--params-file", "low.yaml"], {}, ["score_threshold"]),
        (["-p", "cameras:=5"], {}, ["cameras", "INTEGER"]),
        (["-p", "two words:=5"], {}, ["two words"]),
        (["-r", "image:=/cam/image raw"], {}, ["image:=/cam/image raw"]),
        (["-r", "__ns:=/front/"], {}, ["namespace must not end with a '/'"]),
        (["-r", "__node:=a b"], {}, ["__node:=a b"]),
        (["--log-level", "loud"], {}, ["loud"]),
        (["--nonsense"], {}, ["unknown ROS arguments", "--nonsense"]),
        (["--", "--params-file", "good.yaml"], {}, ["'--params-file'", "follow --ros-args"]),
        ([], {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"}, ["ROS_SECURITY"]),
        ([], {"ROS_DOMAIN_ID": "abc"}, ["ROS_DOMAIN_ID", "'abc'"]),
        ([], {"ROS_DOMAIN_ID": "-1"}, ["ROS_DOMAIN_ID", "'-1'"]),
        ([], {"ROS_DOMAIN_ID": "233"}, ["ROS_DOMAIN_ID", "232"]),
        ([], {"ROS_LOG_DIR": "/proc/log"}, ["/proc/log"]),
    ],
)
def test_what_does_not_fit_is_reported(folder, arguments, environment, words):
    node = start(folder, arguments, **environment)
    _, error = node.communicate(timeout=60)
    assert node.returncode == 2, error
    (line,) = [line for line in error.splitlines() if line.startswith("ssap: error: ")]
    assert "Traceback" not in error
    for word in words:
        assert word in line
    assert "/project/src" not in line


def test_names_that_nothing_reads_are_reported_with_the_nearest(folder):
    arguments = ["-p", "score_treshold:=0.5", "-p", "zebra:=1", "-p", "use_sim_time:=false"]
    arguments += ["-p", "Score_Threshold:=0.5", "-p", "autostart:=false"]
    node = start(folder, arguments)
    lines = []
    deadline = time.monotonic() + 30
    while len(lines) < 3 and time.monotonic() < deadline:
        line = node.stderr.readline()
        lines += [line] if "is not known" in line else []
    node.send_signal(signal.SIGINT)
    _, rest = node.communicate(timeout=30)
    reported = "".join(lines)
    assert (
        "score_treshold is not known and has no effect; did you mean score_threshold?" in reported
    )
    assert (
        "Score_Threshold is not known and has no effect; did you mean score_threshold?" in reported
    )
    assert "zebra is not known and has no effect; known are model_file_path" in reported
    assert "use_sim_time is" not in reported + rest
    assert node.returncode == 0


def test_a_parameter_file_for_another_node_is_reported(folder):
    files = ["other.yaml", "wild.yaml", "bom_crlf.yaml", "ünï cödé.yaml", "star.yaml"]
    node = start(folder, [part for name in files for part in ("--params-file", name)])
    line = node.stderr.readline()
    while line and "has no effect" not in line:
        line = node.stderr.readline()
    node.send_signal(signal.SIGINT)
    _, rest = node.communicate(timeout=30)
    assert "other.yaml has no effect: it holds parameters of /front/ssap, not /ssap" in line
    assert "has no effect" not in rest
    assert node.returncode == 0


@pytest.mark.parametrize(
    ("pattern", "node", "meant"),
    [
        ("/ssap", "/ssap", True),
        ("/ssap", "/front/ssap", False),
        ("/**", "/a/b/ssap", True),
        ("/**/ssap", "/ssap", True),
        ("/**/ssap", "/a/b/ssap", True),
        ("/*/ssap", "/a/ssap", True),
        ("/*/ssap", "/a/b/ssap", False),
        ("/*", "/a/ssap", False),
        ("/a.b", "/aXb", False),
    ],
)
def test_which_nodes_a_parameter_file_means(tmp_path, pattern, node, meant):
    file = tmp_path / "p.yaml"
    file.write_text(f"{pattern}:\n  ros__parameters:\n    a: 1\n")
    reported = list(unused_parameter_files(["--params-file", str(file)], node))
    assert bool(reported) != meant
