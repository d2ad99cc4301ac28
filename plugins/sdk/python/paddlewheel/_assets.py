"""Read-only files that come with a step: tables, templates. They are named in `paddle.toml` (`assets`)."""

from . import _host


def assets() -> list[str]:
    """The names of the step's files, in alphabetical order."""
    return _host.names()


def asset(name: str) -> bytes | None:
    """A file's content, or None if the step has no file of that name. Read it in `init`: the files are the same for all events."""
    return _host.read(name)
