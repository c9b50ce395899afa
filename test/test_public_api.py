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

"""What users import: lazily, with one root of all errors, and as the README shows it."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

import ssap_ros
from ssap_ros import errors
from ssap_ros.data.scenes.street import street_scene

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("numpy", "cv2", "rclpy", "onnxruntime", "torch", "ssap_ros._core")


def test_importing_the_package_loads_nothing_else():
    program = f"import sys, ssap_ros; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_library_loads_no_ros():
    program = "import sys, ssap_ros.pipeline; print('rclpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("name", ssap_ros.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert inspect.getdoc(getattr(ssap_ros, name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'SsapNode'"):
        ssap_ros.SsapNode  # noqa: B018


def test_all_errors_have_one_root():
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for file in (ROOT / "ssap_ros").rglob("*.py")
        if "Error(" in file.read_text() and "class " in file.read_text()
    ]
    pattern = re.compile(r"^class (\w+Error)\(", re.M)
    for module in modules:
        for name in pattern.findall((ROOT / f"{module.replace('.', '/')}.py").read_text()):
            assert issubclass(getattr(import_module(module), name), errors.SsapError), name


def test_the_lines_of_the_readme_run(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    section = (ROOT / "README.md").read_text().split("## Without ROS")[1]
    program = re.search(r"```python\n(.*?)```", section, re.S)[1]
    image = street_scene(5, (240, 320)).image
    cv2.imwrite(str(tmp_path / "street.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    (tmp_path / "engines").symlink_to(ROOT / "engines")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(program, names)
    result = names["result"]
    assert result.labels.shape == (240, 320)
    assert result.labels.dtype == np.uint16
    assert "car" in names["names"]
