"""Errors that the command line tells in one line."""


class InputError(ValueError):
    """Something the user gave (a path, a file, a setting) cannot be used; the message says why."""


class NodeError(RuntimeError):
    """The node process did not start, died or stopped answering; the message says what it wrote."""
