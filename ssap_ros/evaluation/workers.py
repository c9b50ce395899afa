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

"""Work on many items, in this process, in several, or on the machines of a Dask cluster.

The engine is dask.distributed: pure Python, so that it runs on the boards that robots carry, and at
home on the clusters that people have. It gives the items of a worker that dies to another one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import TypeVar

from ssap_ros.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")
Workers = int | str
Progress = Callable[[int, int], None]

_ATTEMPTS = 3  # workers that may die over one item before the item is to blame
_CONNECT_S = 10.0


def parse_workers(text: str) -> Workers:
    """Read the `--workers` argument.

    Returns:
        A number of processes, or the address of a Dask scheduler.

    Raises:
        InputError: It is neither, or Dask is wanted and not installed.
    """
    counted = text.isascii() and text.isdigit() and int(text) >= 1
    if not counted and not text.startswith(("tcp://", "tls://", "ucx://")):
        raise InputError(f"expected a number of workers above 0 or tcp://HOST:PORT, got {text!r}")
    if text != "1" and find_spec("distributed") is None:
        raise InputError(
            "several workers need Dask: pip install -r environment/requirements-batch.txt"
        )
    return int(text) if counted else text


def map_items(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers = 1,
    progress: Progress | None = None,
) -> list[Result]:
    """Compute `[function(item) for item in items]`, shared among workers.

    Args:
        function: Sent to the workers by pickle; it may be called again for an item whose worker
            died. The first exception that it raises ends the work and is raised here.
        items: Sent by pickle as well.
        workers: Processes on this machine, where 1 means this process itself; or the address
            `tcp://host:port` of a Dask scheduler, whose workers have this package installed.
        progress: Called with (items done, items in all) after every item.

    Returns:
        In the order of the items, whatever worker was the first.

    Raises:
        InputError: No scheduler responds, or an item took several workers down.
    """
    todo = list(items)
    if workers == 1 or not todo:
        results = []
        for done, item in enumerate(todo, start=1):
            results.append(function(item))
            if progress:
                progress(done, len(todo))
        return results
    import dask
    from distributed import Client, KilledWorker, LocalCluster, as_completed

    settings = {
        "distributed.scheduler.allowed-failures": _ATTEMPTS - 1,
        "distributed.comm.timeouts.connect": f"{_CONNECT_S}s",
    }
    with dask.config.set(settings):
        local = (
            LocalCluster(
                n_workers=min(workers, len(todo)),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,
            )
            if isinstance(workers, int)
            else None
        )
        try:
            client = Client(local or workers, timeout=_CONNECT_S)
        except OSError as error:
            raise InputError(f"no Dask scheduler responds at {workers}") from error
        try:
            # pure=False: equal items are computed each, as in a loop
            futures = client.map(function, todo, pure=False, batch_size=64)
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()
                if progress:
                    progress(done, len(todo))
            return list(client.gather(futures))
        except KilledWorker as error:
            raise InputError(f"{_ATTEMPTS} workers died over one item: {error.task}") from error
        finally:
            client.close()
            if local is not None:
                local.close()
