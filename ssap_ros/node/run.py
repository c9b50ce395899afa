"""From the command line to a running node and back: one way out of every state."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.utilities import remove_ros_args

from ssap_ros.node.executor import NodeExecutor
from ssap_ros.node.frame_node import FrameNode
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
    """Run a node until SIGINT or SIGTERM, then return 0; 2, with a line, if it cannot start.

    program: its name in that line. make: makes it. args: of ROS, None = those of the process.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    keep_freed_memory()
    node = executor = None
    try:
        node = _start(make, args)
        executor = NodeExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except StartError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return 2
    except Exception:
        if rclpy.ok():  # else a signal took the context away from under a call
            raise
    finally:
        for end in (signal.SIGINT, signal.SIGTERM):  # one is enough: the way out is not interrupted
            signal.signal(end, signal.SIG_IGN)
        busy = False
        if node is not None:
            node.destroy_node()
            busy = node.busy
        if executor is not None:
            executor.end()
        rclpy.try_shutdown()
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
        rclpy.init(args=arguments)
    except Exception as error:
        raise StartError(error) from error
    check_arguments(remove_ros_args(arguments))
    try:
        node = make()
    except (ValueError, RuntimeError, ParameterException) as error:
        if rclpy.ok():  # else a signal took the context away
            raise StartError(error) from error
        raise
    for line in unused_parameter_files(arguments, node.get_fully_qualified_name()):
        node.get_logger().warning(line)
    return node
