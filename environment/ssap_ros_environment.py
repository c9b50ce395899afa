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

"""What ROS needs in a process of this project's virtual environment.

`setup.sh` copies this file into the environment's site-packages together with a `.pth` that imports
it: every Python of the environment, and every process it starts, finds the message packages and the
shared-memory transport without a file being sourced first. A variable that the user has set stays.
"""

import os
import sys
from pathlib import Path

root = Path(sys.prefix).parent
if "ROS_DISTRO" not in os.environ:
    packages = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    if sys.prefix not in packages:
        os.environ["AMENT_PREFIX_PATH"] = os.pathsep.join(filter(None, [sys.prefix, *packages]))
# Fast DDS 2 (up to Jazzy) reads the one name, Fast DDS 3 the other and complains of the first.
vendor = "FASTRTPS" if Path(sys.prefix, "lib", "libfastrtps.so").exists() else "FASTDDS"
os.environ.setdefault(f"{vendor}_DEFAULT_PROFILES_FILE", str(root / "config" / "fastdds_shm.xml"))
os.environ.setdefault("ROS_LOG_DIR", str(root / ".cache" / "ros_log"))
