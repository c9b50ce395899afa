"""What the worker does with frames: image messages in, results out, every outcome named."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rclpy.clock import Clock
from rclpy.time import Time

from ssap_ros.messages import MessageError
from ssap_ros.node_parts.camera import Camera, Frame
from ssap_ros.node_parts.engine import Engine
from ssap_ros.node_parts.parameters import NodeParameters
from ssap_ros.pipeline import Percept
from ssap_ros.types import ImageArray

_MAX_LATENCY_MS = 60_000.0  # beyond, the stamp belongs to another clock: a bag without sim time


@dataclass
class _Job:
    """A frame that could be read. index: in the batch. Times by time.perf_counter()."""

    index: int
    camera: Camera
    frame: Frame
    image: ImageArray
    start_s: float
    convert_ms: float


class FrameProcessor:
    """Runs frames of several cameras through the engine and publishes what comes out.

    clock: the node's. report: is told what went wrong, and the error.
    """

    def __init__(
        self,
        cameras: dict[str, Camera],
        engine: Engine,
        parameters: NodeParameters,
        clock: Clock,
        report: Callable[[str, Exception], None],
    ) -> None:
        self._cameras, self._engine, self._parameters = cameras, engine, parameters
        self._clock = clock
        self._report = report

    def __call__(self, batch: Sequence[tuple[str, Frame]]) -> list[str]:
        """What became of each frame: "processed", "dropped" (too old) or "failed"."""
        outcomes = ["failed"] * len(batch)
        jobs: list[_Job] = []
        for index, (name, frame) in enumerate(batch):
            camera = self._cameras[name]
            try:
                if self._too_old(camera, frame):
                    outcomes[index] = "dropped"
                else:
                    jobs.append(_read(index, camera, frame))
            except MessageError as error:
                self._fail(camera, error)
        jobs.sort(key=lambda job: job.image.shape)
        for _, group in groupby(jobs, key=lambda job: job.image.shape):
            for job in self._run(list(group)):
                outcomes[job.index] = "processed"
        return outcomes

    def _run(self, jobs: list[_Job]) -> list[_Job]:
        """Process frames of one size in one pass; those that succeeded."""
        try:
            percepts = self._engine.perceive([job.image for job in jobs])
        except Exception as error:  # the engine's state tells; the next frames come as usual
            self._report("backend error", error)
            return []
        done = []
        for job, percept in zip(jobs, percepts, strict=True):
            try:
                self._finish(job, percept)
            except Exception as error:  # one bad frame must not end the stream
                self._fail(job.camera, error)
            else:
                done.append(job)
        return done

    def _finish(self, job: _Job, percept: Percept) -> None:
        camera, header = job.camera, job.frame.msg.header
        result = self._engine.segment(percept)
        computed_s = time.perf_counter()
        settings, outputs = self._parameters.node, camera.outputs
        assert outputs is not None
        outputs.publish(
            header, job.image, percept, result, camera.camera_info, tracking=settings.tracking
        )
        end_s = time.perf_counter()
        times = {
            "wait": 1e3 * (job.start_s - job.frame.arrived_s),
            "convert": job.convert_ms,
            **result.stage_ms,
            "publish": 1e3 * (end_s - computed_s),
            "total": 1e3 * (end_s - job.start_s),
            "pipeline_latency": min(max(self._age_ms(job.frame), 0.0), _MAX_LATENCY_MS),
        }
        camera.times.add(times)
        took_ms = 1e3 * (end_s - job.frame.arrived_s)
        camera.status.succeeded(took_ms, settings.max_processing_time_ms)
        camera.status.n_incomplete += not result.partition_complete
        outputs.publish_times(header.stamp, times)

    def _too_old(self, camera: Camera, frame: Frame) -> bool:
        limit_ms = self._parameters.node.max_image_age_ms
        age_ms = self._age_ms(frame)
        if 0 < limit_ms < age_ms:
            camera.status.too_old(age_ms, limit_ms)
            return True
        return False

    def _age_ms(self, frame: Frame) -> float:
        """Milliseconds since the image was taken, by its stamp and the node's clock."""
        stamp = Time.from_msg(frame.msg.header.stamp, self._clock.clock_type)
        return 1e-6 * (self._clock.now() - stamp).nanoseconds

    def _fail(self, camera: Camera, error: Exception) -> None:
        camera.status.rejected(error)
        self._report("frame failed", error)


def _read(index: int, camera: Camera, frame: Frame) -> _Job:
    start_s = time.perf_counter()
    image = camera.to_rgb(frame.msg)
    convert_ms = 1e3 * (time.perf_counter() - start_s)
    return _Job(index, camera, frame, image, start_s, convert_ms)
