"""The command: exit codes, and one line on stderr for bad input."""

import json
import subprocess
import sys

import pytest


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


@pytest.mark.parametrize(
    "arguments", [[], ["replay"], ["evaluate"], ["ablate"], ["train"], ["export"], ["doctor"]]
)
def test_help(arguments):
    result = ssap(*arguments, "--help")
    assert result.returncode == 0
    assert "usage: ssap" in result.stdout


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
        (["build-engine", "--input-size", "1024"], "WxH like 1024x512, at least 1x1, got '1024'"),
        (
            ["build-engine", "--input", "512x1024"],
            "use --input-size WxH, here --input-size 1024x512",
        ),
    ],
)
def test_wrong_command_line(arguments, words):
    assert_bad_input(ssap(*arguments), words)


@pytest.mark.parametrize("name", ["text.mcap", "text.mp4", "text.avi", "none.mp4"])
def test_replay_of_what_is_no_recording(tmp_path, name):
    pytest.importorskip("rclpy")
    path = tmp_path / name
    if name.startswith("text"):
        path.write_text("This is no recording.\n" * 200)
    assert_bad_input(ssap("replay", path, "--out", tmp_path / "out"), name)
    assert not (tmp_path / "out").exists()


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


def test_doctor(toy_model_path, tmp_path):
    result = ssap("doctor", "--json", "--model", toy_model_path)
    results = {result["name"]: result for result in json.loads(result.stdout)}
    assert results["model"]["ok"]
    assert "person" in results["model"]["text"]
    assert result.returncode == int(not all(result["ok"] for result in results.values()))

    result = ssap("doctor", "--model", toy_model_path)
    told, _, steps = result.stdout.partition("\n\nnext:\n")
    assert told.splitlines()[-1] == "the node can run"
    assert "ssap predict PICTURE_OR_VIDEO --out out/look" in steps
    assert "ssap doctor --topic TOPIC" in steps
    result = ssap("doctor", "--model", tmp_path / "none.onnx")
    assert result.stdout.splitlines()[-1].startswith("next: mend what is marked with !!")
    assert result.returncode == 1
    assert "!! model" in result.stdout


def _has_torch():
    try:
        import torch  # noqa: F401
    except ImportError:
        return False
    return True
