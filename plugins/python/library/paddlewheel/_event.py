"""The event, which is written in C here."""

from typing import Final, Iterable, TypeAlias, Union

from _paddlewheel import Event

from ._failures import Refused

__all__ = ["ABSENT", "Absent", "Answer", "Event", "Output", "Refused"]


class Absent:
    """What `Event.get` gives for a field that is not there. False in an `if`."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


class Output:
    """An event and the route it takes."""

    __slots__ = ("event", "route")

    def __init__(self, event: Event, route: str | None = None) -> None:
        self.event = event
        self.route = route


Answer: TypeAlias = Union[None, Event, Output, Iterable[Union[Event, Output]]]
