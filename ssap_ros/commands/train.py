"""ssap train"""

from __future__ import annotations

import argparse
from pathlib import Path

from ssap_ros.commands.options import require_torch

HELP = "train a network"
DETAILS = "Trains as a YAML file says (see config/train_street.yaml), on the GPU if there is one."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, type=Path, metavar="YAML")
    parser.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of the data (default: data.root)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")


def run(options: argparse.Namespace) -> int:
    require_torch()
    from ssap_ros.training.train import train

    print(f"checkpoint: {train(options.config, options.resume, options.data_root)}")
    return 0
