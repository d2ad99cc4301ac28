"""What the host offers, as the runtime hands it on."""

from _paddlewheel import names, read, write

__all__ = ["names", "read", "write"]
