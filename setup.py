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

"""The package as colcon and pip build it: Python modules, the compiled core, shared files."""

import sys
from glob import glob
from pathlib import Path
from xml.etree import ElementTree

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

NAME = "ssap_ros"
SHARE = f"share/{NAME}"
CORE = f"{NAME}/csrc"


def pybind11_headers() -> str:
    """The folder of the Python module's headers, or of those that pybind11-dev brings alone."""
    try:
        import pybind11

        return pybind11.get_include()
    except ImportError:
        folders = [Path(prefix, "include") for prefix in (sys.prefix, sys.base_prefix, "/usr")]
    for folder in folders:
        if (folder / "pybind11" / "pybind11.h").is_file():
            return str(folder)
    raise SystemExit(
        f"error: expected the headers of pybind11 in {', '.join(map(str, folders))}, got none; "
        "install them with: sudo apt install pybind11-dev, or: pip install pybind11"
    )


class BuildCore(build_ext):
    """Asks for the headers when the core is built, not when the package is looked at."""

    def build_extensions(self) -> None:
        """Compile the core."""
        self.compiler.add_include_dir(pybind11_headers())
        super().build_extensions()


setup(
    name=NAME,
    version=ElementTree.parse("package.xml").findtext("version"),
    description="Single-shot instance segmentation with an affinity pyramid (SSAP) for ROS 2",
    license="Apache-2.0",
    maintainer="ssap_ros maintainers",
    maintainer_email="maintainers@ssap-ros.invalid",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["csrc/*.cu", "replay/report/templates/*.html"]},
    ext_modules=[
        Extension(
            f"{NAME}._core",
            sorted(glob(f"{CORE}/bindings/*.cpp")),
            depends=sorted(glob(f"{CORE}/**/*.hpp", recursive=True)),
            include_dirs=[CORE],
            define_macros=[("NDEBUG", None)],
            extra_compile_args=[
                *("-std=c++17", "-O3", "-g0", "-fvisibility=hidden"),
                *("-Wall", "-Wextra", "-Wpedantic"),
            ],
            language="c++",
        )
    ],
    cmdclass={"build_ext": BuildCore},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", sorted(glob("launch/*.launch.py"))),
        (f"{SHARE}/config", sorted(glob("config/*.yaml") + glob("config/*.xml"))),
        (f"{SHARE}/rviz", sorted(glob("rviz/*.rviz"))),
        (f"{SHARE}/foxglove", sorted(glob("foxglove/*.json"))),
        (f"{SHARE}/engines", sorted(glob("engines/*.onnx") + glob("engines/*.md"))),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest", "pytest-timeout"]},  # colcon test looks here for pytest
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "ssap = ssap_ros.cli:main",
            "ssap_node = ssap_ros.node:main",
            "ssap_depth_node = ssap_ros.node.depth:main",
        ]
    },
)
