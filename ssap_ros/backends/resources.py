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

"""Where the files lie that are shipped with the package: model, parameters, transport profile."""

from __future__ import annotations

from pathlib import Path

DEFAULT_MODEL = "ssap_street.onnx"


def share_path(relative: str) -> Path:
    """Find the shipped file `relative`, for instance `config/ssap.yaml`.

    Returns:
        Its path beside the package in a source checkout, in `share/ssap_ros` of the prefix in an
        installation. Where it is in neither, the path of the checkout, for an error to name.
    """
    folders = list(Path(__file__).resolve().parents)[2:]
    candidates = [folders[0], *(folder / "share" / "ssap_ros" for folder in folders)]
    found = (folder / relative for folder in candidates if (folder / relative).is_file())
    return next(found, folders[0] / relative)


def default_model_path() -> Path:
    """The ONNX model that is used when none is configured; it may not exist."""
    return share_path(f"engines/{DEFAULT_MODEL}")
