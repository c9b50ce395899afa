"""The package as colcon and pip build it: Python modules, the compiled core, shared files."""

from glob import glob

from pybind11.setup_helpers import Pybind11Extension
from setuptools import find_packages, setup

NAME = "ssap_ros"
SHARE = f"share/{NAME}"

setup(
    name=NAME,
    version="0.1.0",
    description="Single-shot instance segmentation with an affinity pyramid (SSAP) for ROS 2",
    license="Apache-2.0",
    maintainer="ssap_ros maintainers",
    maintainer_email="maintainers@ssap-ros.invalid",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["csrc/*.cu", "replay/*.html"]},
    ext_modules=[
        Pybind11Extension(
            f"{NAME}._core",
            sorted(glob(f"{NAME}/csrc/**/*.cpp", recursive=True)),
            depends=sorted(glob(f"{NAME}/csrc/**/*.hpp", recursive=True)),
            include_dirs=[f"{NAME}/csrc"],
            cxx_std=17,
            extra_compile_args=["-O3", "-Wall", "-Wextra", "-Wpedantic"],
        )
    ],
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
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "ssap = ssap_ros.cli:main",
            "ssap_node = ssap_ros.node:main",
        ]
    },
)
