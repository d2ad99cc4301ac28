"""The plugin's log.

Each event may write a limited number of lines (20 unless the step's `log_lines` says otherwise), and a long line is cut. Never log
what a mask is meant to hide. What is printed becomes lines of the level `info`, and of `warn` on standard error.
"""

from . import _host
from ._functions import WRITE
from ._values import sayable


class _Level:
    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


_DEBUG, _INFO, _WARN, _ERROR = map(_Level, range(4))


def debug(message: str) -> None:
    """Details for whoever works on the plugin."""
    _host.call(WRITE, [_DEBUG, sayable(message)])


def info(message: str) -> None:
    """Something worth knowing."""
    _host.call(WRITE, [_INFO, sayable(message)])


def warn(message: str) -> None:
    """Something odd that was dealt with."""
    _host.call(WRITE, [_WARN, sayable(message)])


def error(message: str) -> None:
    """Something that a person must look at."""
    _host.call(WRITE, [_ERROR, sayable(message)])
