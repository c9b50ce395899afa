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

"""What the worker does with frames: image messages in, results out, every outcome named."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rclpy.clock import Clock

from ssap_ros.messages import stamp_nanoseconds
from ssap_ros.node.camera import Camera, ReceivedImage
from ssap_ros.node.model_host import ModelHost
from ssap_ros.node.parameters import NodeParameters
from ssap_ros.node.queue import Outcome
from ssap_ros.pipeline import Prediction
from ssap_ros.types import FrameResult, ImageArray

_MAX_LATENCY_MS = 60_000.0  # beyond, the stamp belongs to another clock: a bag without sim time


@dataclass
class Job:
    """A frame that could be read, and what comes of it. Times by time.perf_counter()."""

    camera: Camera
    frame: ReceivedImage
    image: ImageArray
    start_s: float
    convert_ms: float
    prediction: Prediction | None = None
    result: FrameResult | None = None


class FrameProcessor:
    """Runs frames of several cameras through the model and publishes what comes out.

    Args:
        clock: The node's.
        report: Called with what went wrong, and the error.
    """

    def __init__(
        self,
        cameras: dict[str, Camera],
        host: ModelHost,
        parameters: NodeParameters,
        clock: Clock,
        report: Callable[[str, Exception], None],
    ) -> None:
        self._cameras, self._host, self._parameters = cameras, host, parameters
        self._clock = clock
        self._report = report

    def predict(self, batch: Sequence[tuple[str, ReceivedImage]]) -> list[Job | Outcome]:
        """Read the images and run the network, on those of one size at once.

        Returns:
            What `segment` is to get for each frame, or its outcome: dropped as too old, or failed.
        """
        results: list[Job | Outcome] = [
            self._read(self._cameras[name], frame) for name, frame in batch
        ]
        jobs = sorted((r for r in results if isinstance(r, Job)), key=lambda job: job.image.shape)
        for _, group in groupby(jobs, key=lambda job: job.image.shape):
            self._see(list(group))
        return [
            Outcome.FAILED if isinstance(result, Job) and result.prediction is None else result
            for result in results
        ]

    def segment(self, job: Job) -> Job | Outcome:
        """Group the pixels; jobs may be segmented side by side.

        Returns:
            What `publish` is to get, or the outcome: failed.
        """
        assert job.prediction is not None
        try:
            margin = self._parameters.node.score_hysteresis
            job.result = self._host.segment(job.prediction, margin)
        except Exception as error:  # one bad frame must not end the stream
            self._fail(job.camera, error)
            return Outcome.FAILED
        return job

    def publish(self, job: Job) -> Outcome:
        """Publish the results, of one frame after the other."""
        try:
            self._publish(job)
        except Exception as error:
            self._fail(job.camera, error)
            return Outcome.FAILED
        return Outcome.PROCESSED

    def _read(self, camera: Camera, frame: ReceivedImage) -> Job | Outcome:
        start_s = time.perf_counter()
        try:
            if self._too_old(camera, frame):
                return Outcome.DROPPED
            image = camera.to_rgb(frame.msg)
        except Exception as error:  # one bad frame must not end the others
            self._fail(camera, error)
            return Outcome.FAILED
        return Job(camera, frame, image, start_s, 1e3 * (time.perf_counter() - start_s))

    def _see(self, jobs: list[Job]) -> None:
        """Run the network on images of one size."""
        try:
            predictions = self._host.predict([job.image for job in jobs])
        except Exception as error:  # its status says so; the next frames come as usual
            self._report("backend error", error)
            return
        for job, prediction in zip(jobs, predictions, strict=True):
            job.prediction = prediction

    def _publish(self, job: Job) -> None:
        camera, header = job.camera, job.frame.msg.header
        prediction, result = job.prediction, job.result
        assert prediction is not None
        assert result is not None
        turn_s = time.perf_counter()
        settings, outputs = self._parameters.node, camera.outputs
        assert outputs is not None
        outputs.publish(
            header,
            job.image,
            prediction,
            result,
            camera.camera_infos.of(header),
            choice=self._host.choice,
            settings=settings,
        )
        end_s = time.perf_counter()
        times = {
            "wait": 1e3 * (job.start_s - job.frame.arrived_s),
            "convert": job.convert_ms,
            **result.stage_ms,
            "publish": 1e3 * (end_s - turn_s),
            "total": 1e3 * (end_s - job.start_s),
            "pipeline_latency": min(max(self._age_ms(job.frame), 0.0), _MAX_LATENCY_MS),
        }
        camera.times.add(times)
        took_ms = 1e3 * (end_s - job.frame.arrived_s)
        camera.status.succeeded(took_ms, settings.max_processing_time_ms)
        camera.status.n_incomplete += not result.partition_complete
        outputs.publish_times(header.stamp, times)

    def _too_old(self, camera: Camera, frame: ReceivedImage) -> bool:
        limit_ms = self._parameters.node.max_image_age_ms
        age_ms = self._age_ms(frame)
        if 0 < limit_ms < age_ms:
            camera.status.too_old(age_ms, limit_ms)
            return True
        return False

    def _age_ms(self, frame: ReceivedImage) -> float:
        """Milliseconds since the image was taken, by its stamp and the node's clock."""
        taken = stamp_nanoseconds(frame.msg.header.stamp)  # rclpy's Time refuses one before 1970
        return 1e-6 * (self._clock.now().nanoseconds - taken)

    def _fail(self, camera: Camera, error: Exception) -> None:
        camera.status.rejected(error)
        self._report("frame failed", error)
