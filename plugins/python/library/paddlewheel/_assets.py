"""Read-only files that come with a step: the script, its modules, tables, templates."""

import _paddlewheel


def assets() -> list[str]:
    """The names of the step's files, in alphabetical order."""
    return _paddlewheel.names()


def asset(name: str) -> bytes | None:
    """A file's content, or None if the step has no file of that name."""
    return _paddlewheel.read(name)
