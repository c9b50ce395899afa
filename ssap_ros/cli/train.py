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

"""ssap train"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ssap_ros.cli.options import require_torch

HELP = "train a network"
DETAILS = """Trains as a YAML file says, on the GPU if there is one:

  config/train_street.yaml          the default model, first step
  config/train_street_fine.yaml     second step
  config/train_street_gpu.yaml      the first step on a GPU
  config/train_cityscapes.yaml      as in the paper; names the value of every row of its tables
  config/train_coco_panoptic.yaml   as in the paper

Several GPUs, or machines, share each batch:

  torchrun --nproc_per_node 8 -m ssap_ros.cli train --config config/train_cityscapes.yaml

Losses per level go to stderr, log.jsonl and, with sample pictures, to tensorboard/ in the output
folder. A run that was interrupted at any time goes on exactly with --resume."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, type=Path, metavar="YAML")
    parser.add_argument(
        "--data-root",
        type=Path,
        metavar="DIR",
        help="folder of the data (default: data.root of the file)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="output folder (default: out of the file)",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="end after this time, schedule included (default: optimiser.minutes of the file)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")


def run(options: argparse.Namespace) -> int:
    require_torch()
    from ssap_ros.training.train import train

    checkpoint = train(
        options.config, options.resume, options.data_root, options.out, options.minutes
    )
    if os.environ.get("RANK", "0") == "0":
        print(f"checkpoint: {checkpoint}")
    return 0
