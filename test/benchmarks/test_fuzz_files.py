"""A short run of the fuzzing of files; `benchmarks/fuzz_files.py` runs more."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sensor_msgs", reason="ROS 2 messages are not installed")
pytest.importorskip("rosbags", reason="rosbags is not installed")

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz_files.py"


def test_mutated_files_are_read_or_refused(tmp_path):
    spec = importlib.util.spec_from_file_location("fuzz_files", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    result = module.fuzz(0, 200, tmp_path, lambda _number: None)
    assert result.total() == 200
    for kind in ("coco", "mcap", "db3", "image"):
        assert result[f"{kind} refused"] > 5
