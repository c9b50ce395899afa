"""Arguments and checks that several subcommands share."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from ssap_ros.errors import InputError


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="", metavar="PATH", help="ONNX model (default: the one shipped)"
    )


def positive(text: str) -> int:
    """The type of an argument that counts something."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return value


def make_parent(path: Path) -> None:
    """Make the folder of a file to be written, before the work that fills it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error


def require_torch() -> None:
    require("torch", "PyTorch is not installed: pip install -r environment/requirements-train.txt")


def require_ros() -> None:
    require("rclpy", "ROS 2 is not here: run `make setup`, or source a ROS 2 distribution")


def require(module: str, cure: str) -> None:
    """Raise InputError with the cure where a module is not installed."""
    if importlib.util.find_spec(module) is None:
        raise InputError(cure)
