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

"""What a robot runs tells nobody about it."""

from __future__ import annotations

import sys


def refuse_openvino_telemetry() -> None:
    """Have OpenVINO and NNCF, imported after this, do without their telemetry.

    `import openvino` would otherwise load the package openvino_telemetry and report the import over
    the network, from a process that it forks. Both libraries go on where that package is missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
