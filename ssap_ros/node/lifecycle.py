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

"""The states of a lifecycle node: those of rclpy, unharmed by a transition that is not allowed."""

from __future__ import annotations

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNodeMixin, TransitionCallbackReturn


class LifecycleStates(LifecycleNodeMixin):  # type: ignore[misc]
    """Refuses a transition that the state does not allow, and ends with the node.

    The rclpy of Jazzy and Humble raises then, which would end the node and leave whoever asked
    without a response; later ones refuse it themselves.
    """

    def destroy_node(self) -> None:
        """See rclpy.node.Node. The states hold the node: with them it leaves the middleware."""
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    def _LifecycleNodeMixin__change_state(self, transition: int) -> TransitionCallbackReturn:  # noqa: N802
        """All transitions go through here: those of the service and the node's own."""
        try:
            return super()._LifecycleNodeMixin__change_state(transition)
        except rclpy_implementation.RCLError as error:
            state = self._state_machine.current_state[1]
            self.get_logger().error(f"transition {transition} refused in state {state}: {error}")
            return TransitionCallbackReturn.ERROR
