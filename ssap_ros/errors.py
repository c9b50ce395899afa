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

"""All errors that this package raises on purpose; the message is one line for the user."""


class SsapError(Exception):
    """The root of them all."""


class InputError(SsapError, ValueError):
    """Something given (a path, a file, a setting, an array) cannot be used; it says why."""


class MessageError(SsapError, ValueError):
    """An image message that cannot be read; it says what was expected and what came."""


class ModelError(SsapError, RuntimeError):
    """A model file that is missing or incompatible."""


class DeviceError(SsapError, RuntimeError):
    """The GPU, its driver or its libraries failed.

    The backend that raised it is to be closed; a new one may be loaded in its place. Where the
    error broke the CUDA context for good (an illegal memory access), only a new process helps.
    """


class NodeError(SsapError, RuntimeError):
    """The node process did not start, died or stopped responding; it says what the node wrote."""


def one_line(error: BaseException) -> str:
    """What an error says, in one line; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
