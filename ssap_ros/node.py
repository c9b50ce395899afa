"""The ROS node: an image comes in, a worker runs the pipeline on it, the results go out."""

from __future__ import annotations

import dataclasses
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, TypeVar

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

from ssap_ros import messages
from ssap_ros.backends import InferenceBackend, load_backend
from ssap_ros.config import NodeConfig, SsapConfig
from ssap_ros.frame_worker import FrameWorker
from ssap_ros.overlay import OverlayRenderer
from ssap_ros.pipeline import SsapPipeline
from ssap_ros.status import NodeStatus

_OUTPUT_DEPTH = 5
_INPUT_DEPTH = {"latest": 1, "every": 100}

_Config = TypeVar("_Config", SsapConfig, NodeConfig)


class SsapNode(LifecycleNode):  # type: ignore[misc]
    """Instance segmentation of a camera stream.

    Subscribes `image`; publishes `~/instances`, `~/detections`, `~/overlay` (only while somebody
    listens), `~/label_info` (latched) and, in every state, `/diagnostics`. The parameters are the
    fields of SsapConfig and NodeConfig. Frames are processed by a thread of their own, so that
    services and diagnostics answer meanwhile; a frame that fails is counted and reported.

    Raises ValueError or ParameterException if a parameter is given a value that does not fit.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__("ssap", **node_arguments)
        self._backend: InferenceBackend | None = None
        self._image_sub: Subscription | None = None
        self._status = NodeStatus()
        self._config = self._declare_parameters(SsapConfig)
        self._node_config = self._declare_parameters(NodeConfig)
        self.add_on_set_parameters_callback(self._on_parameters)
        self._worker: FrameWorker[Image] = FrameWorker(
            self._node_config.drop_policy, self._process, self._on_frame_error, self._on_room
        )

        steady = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self._diagnostics_pub = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        if self._node_config.autostart:
            self._autostart_timer = self.create_timer(0.0, self._autostart, clock=steady)

    # Lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the publishers; on failure the node stays unconfigured."""
        try:
            backend = load_backend(self._config)
            self._pipeline = SsapPipeline(backend, self._config)
        except Exception as error:  # whatever it is: the node lives on and says why
            self._report("cannot configure", error)
            return TransitionCallbackReturn.FAILURE
        self._backend = backend
        self._status.configured()
        self._overlay = OverlayRenderer(backend.info.classes)
        create, latched = self.create_lifecycle_publisher, DurabilityPolicy.TRANSIENT_LOCAL
        self._instances_pub = create(Image, "~/instances", _OUTPUT_DEPTH)
        self._detections_pub = create(Detection2DArray, "~/detections", _OUTPUT_DEPTH)
        self._overlay_pub = create(Image, "~/overlay", _OUTPUT_DEPTH)
        self._label_info_pub = create(
            LabelInfo, "~/label_info", QoSProfile(depth=1, durability=latched)
        )
        self.get_logger().info(f"model loaded, classes: {', '.join(backend.info.classes)}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker and subscribe."""
        result = super().on_activate(state)
        self._publish_label_info()
        self._worker.start()
        qos = QoSProfile(
            depth=_INPUT_DEPTH[self._node_config.drop_policy],
            reliability=ReliabilityPolicy[self._node_config.input_reliability.upper()],
        )
        self._image_sub = self.create_subscription(
            Image, "image", self._on_image, qos, callback_group=_WhileRoom(self._worker)
        )
        self._status.active(self._image_sub.topic_name)
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the frame in work is finished first, those that wait are dropped."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and the publishers, whatever the state was."""
        self._release()
        return super().on_cleanup(state)

    on_shutdown = on_cleanup

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured after a transition that raised."""
        self._release()
        self._report("transition failed", RuntimeError(f"from the state {state.label}"))
        return super().on_error(state)

    def destroy_node(self) -> None:
        """End the worker, then the node."""
        self._stop()
        super().destroy_node()

    def _autostart(self) -> None:
        self.destroy_timer(self._autostart_timer)
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _stop(self) -> None:
        if self._image_sub is not None:
            self.destroy_subscription(self._image_sub)
            self._image_sub = None
            self._worker.stop()
            self._status.inactive()

    def _release(self) -> None:
        self._stop()
        self._status.unconfigured()
        if self._backend is not None:
            self._backend = None
            del self._pipeline, self._overlay
            for name in ("instances", "detections", "overlay", "label_info"):
                self.destroy_lifecycle_publisher(getattr(self, f"_{name}_pub"))

    # Frames

    def _on_image(self, msg: Image) -> None:
        self._status.image_came()
        self._worker.put(msg)

    def _process(self, msg: Image) -> dict[str, float]:
        """The worker's part: one message in, its results out; returns the stages' milliseconds."""
        start = time.perf_counter()
        image = messages.image_to_rgb(msg)
        converted = time.perf_counter()
        result = self._pipeline(image)
        computed = time.perf_counter()
        self._instances_pub.publish(messages.label_image(msg.header, result.labels))
        self._detections_pub.publish(messages.detections(msg.header, result.instances))
        if self._overlay_pub.get_subscription_count() > 0:
            picture = self._overlay.draw(image, result)
            self._overlay_pub.publish(messages.rgb_image(msg.header, picture))
        end = time.perf_counter()
        self._status.succeeded()
        stamp_ns = msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec
        return {
            "convert": 1e3 * (converted - start),
            **result.stage_ms,
            "publish": 1e3 * (end - computed),
            "total": 1e3 * (end - start),
            "pipeline_latency": 1e-6 * (self.get_clock().now().nanoseconds - stamp_ns),
        }

    def _on_frame_error(self, error: Exception) -> None:
        if self.context.ok():  # else it is the shutdown that interrupted the frame
            self._report("frame failed", error)

    def _on_room(self) -> None:
        if self.executor is not None:
            self.executor.wake()

    # Parameters and reports

    def _declare_parameters(self, config: type[_Config]) -> _Config:
        """Declare the fields of `config`; the `config` of the values that were given."""
        parameters = [
            self.declare_parameter(f.name, f.default, messages.parameter_descriptor(f))
            for f in dataclasses.fields(config)
        ]
        return config(**{parameter.name: parameter.value for parameter in parameters})

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        names = {field.name for field in dataclasses.fields(SsapConfig)}
        changes = {p.name: p.value for p in parameters if p.name in names}
        try:
            config = dataclasses.replace(self._config, **changes)
            if self._backend is not None:
                self._pipeline.config = config
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._config = config
        if "score_threshold" in changes and self._image_sub is not None:
            self._publish_label_info()
        return SetParametersResult(successful=True)

    def _publish_label_info(self) -> None:
        header = Header(stamp=self.get_clock().now().to_msg())
        classes = self._backend.info.classes if self._backend else ()
        info = messages.label_info(header, classes, self._config.score_threshold)
        self._label_info_pub.publish(info)

    def _report(self, what: str, error: Exception) -> None:
        self._status.failed(what, error)
        self.get_logger().error(self._status.last_error, throttle_duration_sec=5.0)

    def _publish_diagnostics(self) -> None:
        level, state, message = self._status.summary()
        values: dict[str, object] = {
            "state": state,
            "backend": self._backend.name if self._backend else self._config.backend,
            "model": self._config.model_file_path or "default",
            **dataclasses.asdict(self._worker.counts),
            "last_error": self._status.last_error,
        }
        for stage, percentiles in self._worker.stage_percentiles().items():
            values[f"{stage}_ms"] = "/".join(f"{p:.2f}" for p in percentiles)
        stamp, name = self.get_clock().now().to_msg(), self.get_fully_qualified_name()
        array = messages.diagnostics(stamp, name, level, message, values)
        self._diagnostics_pub.publish(array)


class _WhileRoom(MutuallyExclusiveCallbackGroup):  # type: ignore[misc]
    """Leaves images to the middleware while the worker's queue is full."""

    def __init__(self, worker: FrameWorker[Image]) -> None:
        super().__init__()
        self._worker = worker

    def can_execute(self, entity: Any) -> bool:
        return self._worker.has_room and super().can_execute(entity)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then return 0; 2 if a parameter does not fit."""
    node = None
    try:
        rclpy.init(args=args)
        node = SsapNode()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, ParameterException) as error:
        print(f"ssap: error: {error}", file=sys.stderr)
        return 2
    except Exception:
        if rclpy.ok():  # else a signal took the context away from under a call
            raise
    finally:
        for end in (signal.SIGINT, signal.SIGTERM):  # one is enough: the way out is not interrupted
            signal.signal(end, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
