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

"""Our end of a node's topics: it hears what is said, hands on what goes wrong, and ends."""

import os
import threading
import time

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from std_msgs.msg import Int32

from ssap_ros.node.client import Connection

DOMAIN = 1 + os.getpid() % 100


@pytest.fixture
def heard():
    return []


@pytest.fixture
def connection(heard):
    """Hears its own words; a negative one is an error."""
    connection = Connection("us", "/tested", DOMAIN)

    def on_word(msg):
        heard.append((msg.data, threading.current_thread()))
        if msg.data < 0:
            raise ArithmeticError("negative")

    connection.node.create_subscription(Int32, "word", on_word, 10)
    connection.words = connection.node.create_publisher(Int32, "word", 10)
    return connection


def say(connection, heard, word):
    count = len(heard)
    deadline = time.monotonic() + 30
    while len(heard) == count and time.monotonic() < deadline:
        connection.words.publish(Int32(data=word))
        time.sleep(0.05)
    assert heard[-1][0] == word


def test_callbacks_run_in_a_thread_that_ends(connection, heard):
    with connection:
        say(connection, heard, 5)
        connection.check()
    thread = heard[-1][1]
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_what_a_callback_raises_is_handed_on(connection, heard):
    with connection:
        say(connection, heard, -1)
        heard[-1][1].join(30)
        with pytest.raises(ArithmeticError, match="negative"):
            connection.check()
