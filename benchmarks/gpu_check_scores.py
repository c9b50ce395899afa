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

"""What a backend is worth on annotated images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ssap_ros.backends import AnyBackend
from ssap_ros.config import SsapConfig
from ssap_ros.evaluation.evaluators import ImageSet, open_evaluator
from ssap_ros.evaluation.predict import PredictionSettings, Predictor
from ssap_ros.evaluation.scoring import merged


def mean_scores(
    backend: AnyBackend, config: SsapConfig, annotations: Path, images: Path
) -> dict[str, float | None]:
    """Average precision on COCO instances, of the images as they are and mirrored.

    Args:
        backend: A loaded network, whose input is large enough for these images.
        config: What it was loaded with.
        annotations: Their JSON file.
        images: The folder that the file names are relative to.

    Returns:
        The mean AP of both views for each class; None where it has no object.
    """
    evaluator = open_evaluator(ImageSet("coco", annotations, images), backend.info)
    views = []
    for mirror in (False, True):
        predict = Predictor(PredictionSettings(config, mirror=mirror), backend)
        parts = [evaluator.scores(i, predict(evaluator.image(i))) for i in range(len(evaluator))]
        views.append(merged(parts).result()["classes"])
    values = {name: [view[name]["AP"] for view in views] for name in views[0]}
    return {name: None if None in both else float(np.mean(both)) for name, both in values.items()}
