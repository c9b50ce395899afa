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

"""The report pages from their templates: one self-contained file each, nothing from a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ssap_ros.common.outputs import write_output
from ssap_ros.replay.report import charts

_TEMPLATES = Path(__file__).with_name("templates")


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write the page of a template; every value is escaped but what is marked as HTML.

    Args:
        path: The HTML file.
        template: replay.html, batch.html or comparison.html.
        values: `title`, `subtitle`, `badge` ("whole", "partial", "passed" or "failed"), and what
            the template names.

    Raises:
        OSError: The file cannot be written.
    """
    write_output(path, _environment().get_template(template).render(values))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    environment.globals["precision_curves"] = _precision_curves
    return environment


def _precision_curves(curves: Mapping[str, Sequence[float] | None]) -> Markup:
    known = {name: values for name, values in curves.items() if values is not None}
    return charts.curves(known, "recall", "precision")
