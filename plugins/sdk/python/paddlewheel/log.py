"""The plugin's log.

Each event may write a limited number of lines (20 unless the step's `log_lines` says otherwise), and a long line is cut. Never log
what a mask is meant to hide. What is printed becomes lines of the level `info`, and of `warn` on standard error.
"""

from . import _host
from ._values import sayable


def debug(message: str) -> None:
    """Details for whoever works on the plugin."""
    _host.write(0, sayable(message))


def info(message: str) -> None:
    """Something worth knowing."""
    _host.write(1, sayable(message))


def warn(message: str) -> None:
    """Something odd that was dealt with."""
    _host.write(2, sayable(message))


def error(message: str) -> None:
    """Something that a person must look at."""
    _host.write(3, sayable(message))
