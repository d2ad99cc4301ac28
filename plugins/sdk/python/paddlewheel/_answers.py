"""What goes in and out besides the event."""

from typing import TYPE_CHECKING, Final, Iterable, TypeAlias, Union

if TYPE_CHECKING:
    from ._event import Event


class Absent:
    """What `Event.get` gives for a field that is not there. False in an `if`."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""A field that is not there. Not the same as `None`, which is JSON's null."""


class Output:
    """An event and the route it takes."""

    __slots__ = ("event", "route")

    def __init__(self, event: "Event", route: str | None = None) -> None:
        self.event = event
        self.route = route


Answer: TypeAlias = "Union[None, Event, Output, Iterable[Union[Event, Output]]]"
"""What `transform` may return."""
