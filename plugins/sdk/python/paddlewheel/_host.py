"""What the host offers. Where a plugin runs, the runtime's functions stand here; anywhere else there is no host."""

from typing import NoReturn


def no_host() -> NoReturn:
    raise RuntimeError("there is no Paddlewheel host here: test what touches events with `paddle test`")


def names() -> list[str]:
    no_host()


def read(name: str) -> bytes | None:
    no_host()


def write(level: int, text: str) -> None:
    no_host()
