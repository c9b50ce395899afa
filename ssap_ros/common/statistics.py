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

"""Percentiles, as every report of this package gives them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PERCENTILES = (50, 95, 99)


def percentiles(values: Iterable[float], digits: int = 2) -> dict[str, float | None]:
    """`p50`, `p95` and `p99` of finite numbers, rounded; None of nothing."""
    numbers = np.fromiter(values, float)
    found = np.percentile(numbers, PERCENTILES) if numbers.size else [None] * len(PERCENTILES)
    return {
        f"p{p}": None if value is None else round(float(value), digits)
        for p, value in zip(PERCENTILES, found, strict=True)
    }
