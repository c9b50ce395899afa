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

"""The settings of config.py as ROS parameters."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from ssap_ros.config import DepthConfig, NodeConfig, SsapConfig, StreamConfig
from ssap_ros.errors import InputError

Config = TypeVar("Config", bound=SsapConfig | StreamConfig)
Settings = Mapping[type, Any]
"""Configurations by their type."""


class Parameters:
    """Declares a parameter for every setting and keeps the settings up to date.

    Args:
        configs: The types of the settings.
        accept: Raises ValueError if new settings cannot be used; then the old ones stay, and
            whoever set the parameter learns the reason.
        on_change: Called after settings were changed.

    Raises:
        ValueError: A parameter is given a value that does not fit.
        ParameterException: A parameter is given a value of another type.
    """

    def __init__(
        self,
        node: Node,
        configs: Sequence[type[SsapConfig | StreamConfig]],
        accept: Callable[[Settings], None],
        on_change: Callable[[], None],
    ) -> None:
        self._declare = node.declare_parameter
        self._accept, self._on_change = accept, on_change
        self._settings: Settings = {config: self._declared(config) for config in configs}
        node.add_on_set_parameters_callback(self._on_set)
        for name in node._parameter_overrides:
            if not node.has_parameter(name) and not name.startswith("qos_overrides."):
                node.get_logger().warning(_unknown(name, configs))

    def of(self, config: type[Config]) -> Config:
        """The settings of this type as they are now."""
        settings: Config = self._settings[config]
        return settings

    def _declared(self, config: type[Config]) -> Config:
        values: dict[str, Any] = {}
        for field in dataclasses.fields(config):
            value = self._declare(field.name, _to_ros(field.default), descriptor(field)).value
            if value is None:  # what ROS makes of []
                raise InputError(
                    f"{field.name} must have a value like {_to_ros(field.default)}, got none"
                )
            values[field.name] = _from_ros(value)
        return config(**values)

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        try:
            settings = {kind: _changed(old, parameters) for kind, old in self._settings.items()}
            self._accept(settings)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if settings != self._settings:
            self._settings = settings
            self._on_change()
        return SetParametersResult(successful=True)


class NodeParameters(Parameters):
    """Those of the segmentation node.

    Args:
        accept: Asked about the settings of the pipeline.
    """

    def __init__(
        self, node: Node, accept: Callable[[SsapConfig], None], on_change: Callable[[], None]
    ) -> None:
        configs = (SsapConfig, NodeConfig)
        super().__init__(node, configs, lambda new: accept(new[SsapConfig]), on_change)

    @property
    def pipeline(self) -> SsapConfig:
        """The settings of the pipeline."""
        return self.of(SsapConfig)

    @property
    def node(self) -> NodeConfig:
        """The settings of the node."""
        return self.of(NodeConfig)


class DepthParameters(Parameters):
    """Those of the depth node."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, (DepthConfig,), lambda _: None, lambda: None)

    @property
    def depth(self) -> DepthConfig:
        """All of its settings."""
        return self.of(DepthConfig)


def descriptor(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    """Of a configuration field: its description, range and choices; read-only unless `live`."""
    descriptor = ParameterDescriptor(
        name=field.name,
        description=field.metadata["description"],
        read_only=not field.metadata.get("live", False),
    )
    if "choices" in field.metadata:
        choices = ", ".join(str(choice) for choice in field.metadata["choices"])
        descriptor.additional_constraints = f"one of: {choices}"
    if "range" in field.metadata:
        low, high = field.metadata["range"]
        if isinstance(field.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    return descriptor


def _changed(config: Config, parameters: list[Parameter]) -> Config:
    names = {field.name for field in dataclasses.fields(config)}
    return dataclasses.replace(
        config, **{p.name: _from_ros(p.value) for p in parameters if p.name in names}
    )


def _from_ros(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _unknown(name: str, configs: Sequence[type]) -> str:
    """What to say of a parameter that nothing reads."""
    known = [f.name for config in configs for f in dataclasses.fields(config)]
    near = difflib.get_close_matches(name.lower(), known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    return f"parameter {name} is not known and has no effect; {hint}"


def _to_ros(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
