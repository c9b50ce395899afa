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
