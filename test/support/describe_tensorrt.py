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

"""Prints the API of an installed TensorRT as JSON. Run by tensorrt_contract.py, by any Python.

Per class: its members, and for each "kind" (method, property or value), the documentation (of a
property: of its getter), whether it can be set, and a value's number.
"""

import importlib
import inspect
import json
import sys


def describe(member):
    if isinstance(member, property):
        return {
            "kind": "property",
            "doc": member.fget.__doc__ or "",
            "settable": member.fset is not None,
        }
    if inspect.isroutine(member) or type(member).__name__ == "instancemethod":
        return {"kind": "method", "doc": member.__doc__ or ""}
    try:
        number = int(member)
    except (TypeError, ValueError):
        number = None
    return {"kind": "value", "doc": "", "number": number}


def main(name):
    module = importlib.import_module(name)
    classes = {
        key: {
            "init": value.__init__.__doc__ or "",
            "members": {
                member: describe(getattr(value, member))
                for member in dir(value)
                if not member.startswith("_")
            },
        }
        for key, value in vars(module).items()
        if inspect.isclass(value)
    }
    json.dump({"version": module.__version__, "classes": classes}, sys.stdout)


main(sys.argv[1])
