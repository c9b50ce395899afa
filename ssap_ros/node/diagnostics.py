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

"""`/diagnostics`: one status per camera, with everything that the node knows of itself.

Keys: state (see status.py), topic, backend, model, building_s, backend_errors, recoveries and
memory_mb (resident, of the process); the camera's counters received, processed, dropped, failed and
waiting; partition_incomplete (frames whose partition ran out of time), camera_info_unmatched
(frames without a camera_info of their time, once one has come), input_hz and last_error; and
p50/p95/p99 over the last 500 frames of every <stage>_ms and of png_bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from ssap_ros.messages import diagnostic_array, diagnostic_status
from ssap_ros.node.camera import Camera, ReceivedImage
from ssap_ros.node.memory import memory_mb
from ssap_ros.node.model_host import ModelHost
from ssap_ros.node.parameters import NodeParameters
from ssap_ros.node.queue import FrameQueue
from ssap_ros.node.stage_times import StageTimes
from ssap_ros.node.status import Level
from ssap_ros.node.transport import too_large


def node_diagnostics(
    stamp: Time,
    node_name: str,
    parameters: NodeParameters,
    host: ModelHost,
    queue: FrameQueue[ReceivedImage],
    cameras: Mapping[str, Camera],
) -> DiagnosticArray:
    """The state of every camera, under the name `node` or `node: camera`."""
    common: dict[str, object] = {
        "backend": host.backend_name or parameters.pipeline.backend,
        "model": parameters.pipeline.model_file_path or "default",
        "building_s": f"{host.status.building_s:.0f}",
        "backend_errors": host.status.backend_errors,
        "recoveries": host.status.recoveries,
        "memory_mb": f"{memory_mb():.0f}",
    }
    entries = []
    for name, camera in cameras.items():
        full_name = f"{node_name}: {name}" if name else node_name
        entries.append(_camera_status(full_name, camera, queue, host, common))
    return diagnostic_array(stamp, entries)


def _camera_status(
    name: str,
    camera: Camera,
    queue: FrameQueue[ReceivedImage],
    host: ModelHost,
    common: Mapping[str, object],
) -> DiagnosticStatus:
    own = camera.status.summary()
    level, state, message = host.status.summary() or own
    if state in ("waiting", "stale"):
        if other := camera.other_publishers():
            level, state, message = Level.ERROR, "wrong_type", other
        else:
            message += too_large(*camera.camera_infos.size())
    values: dict[str, object] = {
        "state": state,
        "topic": camera.status.topics.get("image", ""),
        **common,
        **dataclasses.asdict(queue.counts(camera.name)),
        "partition_incomplete": camera.status.n_incomplete,
        "camera_info_unmatched": camera.camera_infos.n_unmatched,
        "input_hz": f"{camera.status.take_rate():.1f}",
        "last_error": camera.status.last_error or host.status.last_error,
        **stage_values(camera.times),
    }
    if camera.outputs is not None:
        for sizes in camera.outputs.png_bytes.percentiles().values():
            values["png_bytes"] = "/".join(f"{p:.0f}" for p in sizes.values())
    return diagnostic_status(name, level, message, values)


def stage_values(times: StageTimes) -> dict[str, str]:
    """p50/p95/p99 of every <stage>_ms."""
    stages = times.percentiles().items()
    return {f"{stage}_ms": "/".join(f"{p:.2f}" for p in ms.values()) for stage, ms in stages}
