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

"""From the command line to a running node and back: one way out of every state."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from ssap_ros.node.end import EndSignals
from ssap_ros.node.executor import NodeExecutor
from ssap_ros.node.frame_node import EXIT_TIMEOUT_S, FrameNode
from ssap_ros.node.memory import keep_freed_memory
from ssap_ros.node.start import (
    StartError,
    check_arguments,
    check_domain,
    check_namespace,
    unused_parameter_files,
)

_SWITCH_INTERVAL_S = 0.0005  # between Python threads: a frame in work waits less for the executor


def run(program: str, make: Callable[[], FrameNode], args: Sequence[str] | None) -> int:
    """Run a node until SIGINT or SIGTERM.

    Args:
        program: Its name in error lines.
        make: Makes the node.
        args: Of ROS, None = those of the process.

    Returns:
        The exit code: 0, or 2, with a line, if the node cannot start.
    """
    end_signals = EndSignals()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    keep_freed_memory()
    try:
        node = _start(make, args)
    except StartError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        rclpy.get_default_context().try_shutdown()
        return 2
    executor = NodeExecutor()
    executor.add_node(node)
    end_signals.call(executor.stop)
    try:
        executor.spin()
    finally:
        end_signals.ignore()
        node.end()
        executor.end(EXIT_TIMEOUT_S)
        node.destroy_node()
        busy = node.busy
        node.context.try_shutdown()
        if busy:  # an engine build cannot be interrupted, and the interpreter would wait for it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    return 0


def _start(make: Callable[[], FrameNode], args: Sequence[str] | None) -> FrameNode:
    """Read the arguments of ROS and make the node. Raises StartError for what does not fit."""
    arguments = sys.argv[1:] if args is None else args
    check_domain()
    check_namespace(arguments)
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:
        raise StartError(error) from error
    check_arguments(remove_ros_args(arguments))
    try:
        node = make()
    except (ValueError, RuntimeError, ParameterException) as error:
        raise StartError(error) from error
    for line in unused_parameter_files(arguments, node.get_fully_qualified_name()):
        node.get_logger().warning(line)
    return node
