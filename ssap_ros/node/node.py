"""The ROS node: images come in, a worker runs the pipeline on them, the results go out."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from std_srvs.srv import SetBool

from ssap_ros.backends import load_backend
from ssap_ros.node.camera import Camera, ReceivedImage
from ssap_ros.node.diagnostics import node_diagnostics
from ssap_ros.node.end import EndSignals
from ssap_ros.node.executor import NodeExecutor
from ssap_ros.node.frame_processor import FrameProcessor, Job
from ssap_ros.node.lifecycle import LifecycleStates
from ssap_ros.node.memory import keep_freed_memory
from ssap_ros.node.model_host import Load, ModelHost
from ssap_ros.node.parameters import NodeParameters
from ssap_ros.node.queue import FrameCounts, FrameQueue
from ssap_ros.node.start import (
    StartError,
    check_arguments,
    check_domain,
    check_namespace,
    unused_parameter_files,
)
from ssap_ros.node.status import describe
from ssap_ros.node.worker import FrameWorker

_EXIT_TIMEOUT_S = 2.0
_SWITCH_INTERVAL_S = 0.0005  # between Python threads: a frame in work waits less for the executor

Transition = Callable[["SsapNode", LifecycleState], TransitionCallbackReturn]


def _remembered(transition: Transition) -> Transition:
    """Lets `on_error` know what a transition raised, which rclpy does not pass on."""

    @functools.wraps(transition)
    def run(node: SsapNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.transition_error = error
            raise

    return run


class SsapNode(LifecycleStates, Node):  # type: ignore[misc]
    """Instance segmentation of one or several camera streams.

    Subscribes `image` (or `image/compressed`) and `camera_info`; publishes `~/instances`,
    `~/detections`, `~/label_info` (latched) and the rest of publishers.py, each only while
    somebody listens, and, in every state, `/diagnostics`. Several cameras have their names before
    all of these. The parameters are the fields of SsapConfig and NodeConfig; `~/enable` switches
    the subscriptions off and on.

    Frames are processed by a thread of their own and the model is loaded by another, so that
    services and diagnostics answer meanwhile; a frame that fails is counted and reported.

    load: makes the inference backend. cameras: by name. Raises ValueError or ParameterException if
    a parameter is given a value that does not fit.
    """

    def __init__(self, load: Load = load_backend, **node_arguments: Any) -> None:
        Node.__init__(self, "ssap", **node_arguments)
        # get_state and the others answer while a transition is under way
        LifecycleStates.__init__(self, callback_group=ReentrantCallbackGroup())  # type: ignore[call-arg]
        self._host = ModelHost(load)
        self._active, self._enabled, self._ending = False, True, False
        self.transition_error: Exception = RuntimeError("unknown")
        self.cameras: dict[str, Camera] = {}
        try:
            self._settings = NodeParameters(self, self._host.configure, self._on_settings)
        except Exception:
            super().destroy_node()
            raise
        settings = self._settings.node
        self._queue: FrameQueue[ReceivedImage] = FrameQueue(settings.cameras, settings.drop_policy)
        for name in settings.cameras:
            self.cameras[name] = Camera(self, name, self._queue.put, self._queue.has_capacity)
        process = FrameProcessor(
            self.cameras, self._host, self._settings, self.get_clock(), self._report
        )
        self._worker: FrameWorker[ReceivedImage, Job] = FrameWorker(
            self._queue, process.predict, process.finish, self._on_worker_error, self._on_capacity
        )

        steady = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self._diagnostics_pub = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        self.create_service(SetBool, "~/enable", self._on_enable)
        if settings.autostart:
            self._autostart_timer = self.create_timer(
                0.0, self._autostart, ReentrantCallbackGroup(), clock=steady
            )

    # Lifecycle

    @_remembered
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the publishers; on failure the node stays unconfigured."""
        if not self._host.load(self._settings.pipeline, lambda: not self._ending):
            self._log_error(self._host.status.last_error)
            return TransitionCallbackReturn.FAILURE
        info = self._host.info
        assert info is not None
        for camera in self.cameras.values():
            camera.open(self._settings.node, info)
        self.get_logger().info(
            f"model loaded into {self._host.backend_name}, classes: {', '.join(info.classes)}"
        )
        self._check_mask_classes()
        return super().on_configure(state)

    @_remembered
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and, unless the node is disabled, subscribe."""
        result = super().on_activate(state)
        self._active = True
        self._publish_label_info()
        self._worker.start(self._host.max_batch, overlap=self._host.on_gpu)
        self._subscribe()
        return result

    @_remembered
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the frame in work is finished first, those that wait are dropped."""
        self._stop()
        return super().on_deactivate(state)

    @_remembered
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and the publishers, whatever the state was."""
        self._release()
        return super().on_cleanup(state)

    on_shutdown = on_cleanup

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured after a transition that raised."""
        self._release()
        self._host.status.failed(f"transition from {state.label} failed", self.transition_error)
        self._log_error(self._host.status.last_error)
        return super().on_error(state)

    def end(self) -> None:
        """Finish the frames in work and let an engine build go: no callback waits for it then."""
        self._ending = True
        self._stop(_EXIT_TIMEOUT_S)

    def destroy_node(self) -> None:
        """End the worker, then the node."""
        self.end()
        super().destroy_node()

    def counts(self, camera: str) -> FrameCounts:
        """What became of the camera's frames."""
        return self._queue.counts(camera)

    @property
    def busy(self) -> bool:
        """Whether a thread is in a call that cannot be interrupted."""
        return self._host.loading or not self._worker.stop(0)

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _subscribe(self) -> None:
        for camera in self.cameras.values():
            if self._enabled:
                camera.subscribe(self._settings.node)
            else:
                camera.unsubscribe(enabled=False)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if self._enabled != request.data:
            self._enabled = request.data
            if self._active:
                self._subscribe()
        response.success = True
        response.message = "enabled" if self._enabled else "disabled"
        return response

    def _stop(self, timeout_s: float | None = None) -> None:
        self._active = False
        for camera in self.cameras.values():
            camera.unsubscribe()
        self._worker.stop(timeout_s)

    def _release(self) -> None:
        self._stop()
        for camera in self.cameras.values():
            camera.close()
        self._host.close()

    # Reports

    def _on_capacity(self) -> None:
        if self._settings.node.drop_policy == "every" and self.executor is not None:
            self.executor.wake()  # subscriptions that waited for room may be served again

    def _on_worker_error(self, error: Exception) -> None:
        self._report("worker failed", error)

    def _on_settings(self) -> None:
        self._publish_label_info()
        self._check_mask_classes()

    def _check_mask_classes(self) -> None:
        """Say it where `~/mask` waits for a class that never comes."""
        if (info := self._host.info) is not None:
            for name in sorted(set(self._settings.node.mask_classes) - {"", *info.classes}):
                self.get_logger().warning(f"mask_classes: the model has no class {name!r}")

    def _publish_label_info(self) -> None:
        stamp = self.get_clock().now().to_msg()
        for camera in self.cameras.values():
            if camera.outputs is not None and self._active:
                camera.outputs.publish_label_info(stamp, self._host.choice)

    def _report(self, what: str, error: Exception) -> None:
        if not self._ending:  # else it is the end that interrupted the frame
            self._log_error(describe(what, error))

    def _log_error(self, text: str) -> None:
        self.get_logger().error(text, throttle_duration_sec=5.0)

    def _publish_diagnostics(self) -> None:
        self._diagnostics_pub.publish(
            node_diagnostics(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                self._settings,
                self._host,
                self._queue,
                self.cameras,
            )
        )


def _start(args: Sequence[str] | None, load: Load) -> SsapNode:
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
        node = SsapNode(load)
    except (ValueError, RuntimeError, ParameterException) as error:
        raise StartError(error) from error
    for line in unused_parameter_files(arguments, node.get_fully_qualified_name()):
        node.get_logger().warning(line)
    return node


def main(args: Sequence[str] | None = None, load: Load = load_backend) -> int:
    """Run the node until SIGINT or SIGTERM, then return 0; 2, with a line, if it cannot start."""
    end_signals = EndSignals()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    keep_freed_memory()
    try:
        node = _start(args, load)
    except StartError as error:
        print(f"ssap: error: {error}", file=sys.stderr)
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
        executor.end(_EXIT_TIMEOUT_S)
        node.destroy_node()
        busy = node.busy
        node.context.try_shutdown()
        if busy:  # an engine build cannot be interrupted, and the interpreter would wait for it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    return 0
