"""The event, which is written in C here."""

from _paddlewheel import Event

__all__ = ["Event"]
