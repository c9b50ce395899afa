"""The subcommands of `ssap`, one module each.

Every module has a `HELP` line, the `DETAILS` shown by --help, `add_arguments(parser)` and
`run(options) -> exit code`. What a command needs is imported when it runs, not before.
"""
