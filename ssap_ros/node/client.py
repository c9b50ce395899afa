"""Our end of another node's topics: a ROS node in this process that listens in its own thread."""

from __future__ import annotations

import threading

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions


class Connection:
    """A context in which callbacks run, one at a time, in a thread of their own.

    name, namespace: of the node. domain_id: of DDS; that of the other node.

    node: to be given publishers and subscriptions before the context is entered.
    """

    def __init__(self, name: str, namespace: str, domain_id: int) -> None:
        self._context = Context()
        rclpy.init(
            args=[],  # those of the command line are not for ROS
            context=self._context,
            domain_id=domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.node = rclpy.create_node(
            name, namespace=namespace, context=self._context, use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)
        self._error: Exception | None = None

    def __enter__(self) -> Connection:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._context.try_shutdown()
        self._thread.join()
        self.node.destroy_node()

    def check(self) -> None:
        """Raise what a callback has raised, after which none runs any more."""
        if self._error is not None:
            raise self._error

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # handed to the thread that waits for the answers
            self._error = error
