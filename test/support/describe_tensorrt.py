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
