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

"""Sharing work changes nothing about its results, and a worker that dies loses none."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from ssap_ros.errors import InputError
from ssap_ros.evaluation import workers
from ssap_ros.evaluation.workers import map_items, parse_workers

pytest.importorskip("distributed", reason="Dask is not installed (requirements-batch.txt)")

ITEMS = [3, 1, 2, 2, 7, 1]


def square(number):
    return number * number, os.getpid()


def die_once(folder, number):
    """The first process that gets the number 2 is killed over it."""
    marker = folder / str(number)
    if number == 2 and not marker.exists():
        marker.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def fail(number):
    raise ArithmeticError(f"no {number}")


def die(_number):
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_worker_is_this_process():
    seen = []
    results = map_items(square, iter(ITEMS), 1, lambda *done: seen.append(done))
    assert results == [(n * n, os.getpid()) for n in ITEMS]
    assert seen == [(i + 1, 6) for i in range(6)]
    assert map_items(square, [], 4) == []


def test_two_workers_give_what_one_gives():
    seen = []
    results = map_items(square, ITEMS, 2, lambda *done: seen.append(done))
    assert [value for value, _ in results] == [n * n for n in ITEMS]
    assert os.getpid() not in {pid for _, pid in results}
    assert seen == [(i + 1, 6) for i in range(6)]


def test_killed_worker_loses_nothing(tmp_path):
    assert map_items(partial(die_once, tmp_path), [1, 2, 3, 4], 2) == [1, 4, 9, 16]
    assert (tmp_path / "2").exists()


def test_item_that_kills_its_workers_is_reported(monkeypatch):
    monkeypatch.setattr(workers, "_ATTEMPTS", 1)
    with pytest.raises(InputError, match="workers died"):
        map_items(die, [1, 2], 2)


def test_exception_of_the_function_comes_out():
    with pytest.raises(ArithmeticError, match="no 3"):
        map_items(fail, [3, 3])


def test_scheduler_by_address(tmp_path):
    """Two workers of a cluster that stands already."""
    file = tmp_path / "address"
    code = (
        "import sys, time, pathlib\n"
        "from distributed import LocalCluster\n"
        "if __name__ == '__main__':\n"
        "    c = LocalCluster(n_workers=2, threads_per_worker=1, host='127.0.0.1',\n"
        "                     dashboard_address=None)\n"
        "    pathlib.Path(sys.argv[1]).write_text(c.scheduler_address)\n"
        "    sys.stdin.read()\n"
    )
    script = tmp_path / "cluster.py"
    script.write_text(code)
    cluster = subprocess.Popen([sys.executable, script, file], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not (file.exists() and file.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert map_items(abs, [-1, 2, -3], file.read_text()) == [1, 2, 3]
        with pytest.raises(ValueError, match="invalid literal"):
            map_items(int, ["3", "three"], file.read_text())
    finally:
        cluster.stdin.close()
        cluster.wait(30)


def test_no_scheduler_there(monkeypatch):
    monkeypatch.setattr(workers, "_CONNECT_S", 1.0)
    with pytest.raises(InputError, match="no Dask scheduler"):
        map_items(abs, [1, 2], "tcp://127.0.0.1:1")


def test_workers_argument():
    assert parse_workers("3") == 3
    assert parse_workers("tcp://10.0.0.7:8786") == "tcp://10.0.0.7:8786"
    for text in ("0", "-1", "two", ""):
        with pytest.raises(InputError, match="expected"):
            parse_workers(text)
