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

"""ssap ablate"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ssap_ros.cli.options import (
    add_images,
    add_model,
    image_set,
    require_torch,
)
from ssap_ros.config import SsapConfig
from ssap_ros.errors import InputError

HELP = "the paper's tables on annotated images, ours beside the paper's"
DETAILS = """Scores the rows of a table of the SSAP paper on any annotated images:

  4   the stride at which the cascade starts     needs a model only
  5   the affinities that are used, A1 to A5     needs a model only
  6   balance, object weight, head kernel        trains four networks as --config says
  7   refinement, flip and multi-scale test      needs a model only

Beside each score stands its 95 % interval over the images (bootstrap) and its difference to the
first row with an interval of its own: of one sign, it says which way the change goes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", type=int, choices=(4, 5, 6, 7), required=True)
    add_images(parser)
    parser.add_argument("--json", required=True, type=Path, metavar="OUT", help="file for the rows")
    parser.add_argument(
        "--config", type=Path, metavar="YAML", help="table 6: the training of its last row"
    )
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="table 6: folder of the data")
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    from ssap_ros.common.outputs import claim_file, write_json
    from ssap_ros.common.progress import progress
    from ssap_ros.evaluation.ablation import Row, ablate, summarise, table_rows
    from ssap_ros.evaluation.predict import PredictionSettings
    from ssap_ros.evaluation.workers import parse_workers

    images, workers = image_set(options), parse_workers(options.workers)
    claim_file(options.json, [options.annotations, options.config])
    config = SsapConfig(model_file_path=options.model, backend="onnxruntime")
    settings = PredictionSettings(config)
    if options.table == 6:
        if options.config is None:
            raise InputError("--table 6 needs --config, the training of its last row")
        require_torch()
        from ssap_ros.training.ablation import train_rows

        trained = train_rows(options.config, options.data_root)
        rows = [
            Row(name, paper, PredictionSettings(replace(config, model_file_path=str(model))))
            for name, paper, model in trained
        ]
        results = []
        for row in rows:
            with progress(row.name, "images") as show:
                results += ablate([row], images, options.limit, workers, show)
    else:
        rows = table_rows(options.table, settings)
        with progress("ablate", "images") as show:
            results = ablate(rows, images, options.limit, workers, show)
    summary = summarise(results)
    document = {
        "table": options.table,
        "images": {k: str(v) for k, v in vars(images).items()},
        "model": options.model,
        "rows": summary,
    }
    write_json(options.json, document)
    print(text_table(summary))
    return 0


def text_table(summary: Sequence[dict[str, Any]]) -> str:
    """The rows as text: ours, the difference to the first row with its interval, the paper's."""
    names = [n for n in ("AP", "AP50", "PQ_th", "PQ") if isinstance(summary[0].get(n), dict)]
    head = "".join(f"{name:>7}{'vs first':>10}{'95 %':>17}{'paper':>7}" for name in names)
    lines = [f"{'':24}{head}   partition"]
    for entry in summary:
        cells = f"{entry['row']:24}"
        for name in names:
            score = entry[name]
            low, high = score["difference_interval"]
            paper = entry["paper"].get(name)
            cells += f"{100 * score['value']:7.1f}{100 * score['difference']:+10.1f}"
            cells += f"   [{100 * low:+5.1f}, {100 * high:+5.1f}]"
            cells += f"{paper:7.1f}" if paper is not None else "      -"
        lines.append(f"{cells}   {entry['partition_ms_median']:6.1f} ms")
    return "\n".join(lines)
