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

"""The command: exit codes, and one line on stderr for bad input."""

import argparse
import json
import resource
import subprocess
import sys

import pytest

from ssap_ros.cli.command_line import _parser


def ssap(*arguments, timeout=60):
    return subprocess.run(
        [sys.executable, "-m", "ssap_ros.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def assert_bad_input(result, words):
    assert result.returncode == 2, result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("ssap: error: ")
    assert words in line


@pytest.fixture
def pip_packages():
    """What the commands look for before anything else; a distribution alone lacks it."""
    for name in ("onnx", "onnxruntime", "pycocotools", "rosbags"):
        pytest.importorskip(name, reason=f"{name} is not installed")


@pytest.mark.parametrize(
    "arguments", [[], ["replay"], ["evaluate"], ["ablate"], ["train"], ["export"], ["doctor"]]
)
def test_help(arguments):
    result = ssap(*arguments, "--help")
    assert result.returncode == 0
    assert "usage: ssap" in result.stdout


def test_help_tells_every_default():
    (commands,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        for action in command._actions:
            if action.option_strings and action.default not in (
                None,
                False,
                "",
                [],
                "==SUPPRESS==",
            ):
                assert "default" in action.help, f"{name} {action.option_strings}"
        assert "None" not in command.format_help()
        assert "PosixPath" not in command.format_help()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["paint"], "paint"),
        (["replay", "scenes"], "--out"),
        (["replay", "scenes", "--out", "x", "--max-frames", "0"], "above 0"),
        (["replay", "scenes", "--out", "x", "--policy", "some"], "some"),
        (["benchmark", "partition"], "is now benchmarks/partition.py"),
        (["benchmark", "--backend", "abacus"], "unknown backend 'abacus'; known: tensorrt, open"),
        (["make-bag", "scenes", "x.mcap", "--size", "99999x99999"], "at most 67108864 pixels"),
        (["replay", "scenes", "--out", "x", "--param", "classes:=[]"], "classes must be a list of"),
        (["build-engine", "--input-size", "1024"], "WxH like 1024x512, at least 1x1, got '1024'"),
        (
            ["build-engine", "--input", "512x1024"],
            "use --input-size WxH, here --input-size 1024x512",
        ),
    ],
)
@pytest.mark.usefixtures("pip_packages")
def test_wrong_command_line(arguments, words):
    assert_bad_input(ssap(*arguments), words)


@pytest.mark.usefixtures("pip_packages")
@pytest.mark.parametrize("name", ["text.mcap", "text.mp4", "text.avi", "none.mp4"])
def test_replay_of_what_is_no_recording(tmp_path, name):
    pytest.importorskip("rclpy")
    path = tmp_path / name
    if name.startswith("text"):
        path.write_text("This is no recording.\n" * 200)
    assert_bad_input(ssap("replay", path, "--out", tmp_path / "out"), name)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("pip_packages")
def test_missing_model(tmp_path):
    pytest.importorskip("rclpy")
    model = tmp_path / "none.onnx"
    out = ["--out", tmp_path / "out"]
    result = ssap("replay", "scenes", "--max-frames", 1, "--model", model, *out)
    assert_bad_input(result, "none.onnx")


def test_evaluate_without_annotations(tmp_path, toy_model_path):
    result = ssap(
        "evaluate", "--annotations", tmp_path / "none.json", "--images", tmp_path,
        "--json", tmp_path / "scores.json", "--model", toy_model_path,
    )  # fmt: skip
    assert_bad_input(result, "none.json")


@pytest.mark.parametrize(
    "arguments",
    [["train", "--config", "none.yaml"], ["export", "--checkpoint", "none.pt", "--out", "x.onnx"]],
)
def test_training_commands_need_their_input(arguments):
    assert_bad_input(ssap(*arguments), "none" if _has_torch() else "pip install")


@pytest.mark.parametrize(
    ("arguments", "package", "command"),
    [
        (["replay", "a.mcap", "b.mcap", "--workers", "2"], "distributed", "requirements-batch.txt"),
        (["evaluate", "--format", "scenes", "--workers", "2"], "distributed", "requirements-batch"),
        (["train", "--config", "none.yaml"], "torch", "requirements-train.txt"),
        (["train", "--config", "none.yaml"], "tensorboard", "requirements-train.txt"),
        (["export", "--checkpoint", "none.pt"], "onnx", "requirements-train.txt"),
        (["export", "--checkpoint", "none.pt", "--int8", "--calibration", "."], "nncf", "-train"),
        (["calibrate", "--annotations", "a", "--images", "."], "onnx", "requirements-train.txt"),
        (["replay", "scenes"], "rosbags", "requirements.txt"),
        (["make-bag", "scenes", "x.mcap"], "mcap", "requirements.txt"),
        (["evaluate", "--format", "scenes"], "pycocotools", "requirements.txt"),
    ],
)
@pytest.mark.usefixtures("pip_packages")
def test_missing_packages_are_reported_before_the_work(tmp_path, arguments, package, command):
    for module in {"replay": ["rclpy"], "export": ["torch", "onnx", "tensorboard"]}.get(
        arguments[0], []
    ):
        pytest.importorskip(module)
    if arguments[0] in ("replay", "export", "calibrate"):
        arguments = [*arguments, "--out", "out.onnx"]
    program = (
        "import sys; sys.modules[sys.argv.pop(1)] = None; "
        "from ssap_ros.cli.command_line import main; sys.exit(main())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, package, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert_bad_input(result, "pip install -r environment/requirements")
    assert command in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "scenes", "--out", "out"],
        ["make-bag", "scenes", "out.mcap"],
        ["make-bag", "scenes", "out.mcap", "--coco", "out"],
        ["predict", "scenes", "--out", "out"],
        ["evaluate", "--format", "scenes", "--json", "out.json"],
        ["evaluate", "--format", "scenes", "--worst", "out"],
        ["ablate", "--table", "7", "--format", "scenes", "--json", "out.json"],
        ["benchmark", "--json", "out.json"],
        ["build-engine", "--out", "out"],
    ],
)
@pytest.mark.usefixtures("pip_packages")
def test_a_full_device_is_reported_before_the_work(tmp_path, arguments):
    """The limit on the size of a file stands for a device that takes no more."""
    pytest.importorskip("rclpy")
    result = subprocess.run(
        [sys.executable, "-m", "ssap_ros.cli", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert_bad_input(result, "cannot write")


def test_doctor(toy_model_path, tmp_path):
    result = ssap("doctor", "--json", "--model", toy_model_path)
    results = {result["name"]: result for result in json.loads(result.stdout)}
    assert results["model"]["ok"]
    assert "person" in results["model"]["text"]
    assert result.returncode == int(not all(result["ok"] for result in results.values()))

    result = ssap("doctor", "--model", toy_model_path)
    reported, _, steps = result.stdout.partition("\n\nnext:\n")
    assert reported.splitlines()[-1] == "the node can run"
    assert "ssap predict PICTURE_OR_VIDEO --out out/look" in steps
    assert "ssap doctor --topic TOPIC" in steps
    result = ssap("doctor", "--model", tmp_path / "none.onnx")
    assert result.stdout.splitlines()[-1].startswith("next: fix what is marked with !!")
    assert result.returncode == 1
    assert "!! model" in result.stdout


def _has_torch():
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True
