"""The plugin's log."""

from _paddlewheel import write

from ._values import sayable


def debug(message: str) -> None:
    """Details for whoever works on the plugin."""
    write(0, sayable(message))


def info(message: str) -> None:
    """Something worth knowing."""
    write(1, sayable(message))


def warn(message: str) -> None:
    """Something odd that was dealt with."""
    write(2, sayable(message))


def error(message: str) -> None:
    """Something that a person must look at."""
    write(3, sayable(message))
