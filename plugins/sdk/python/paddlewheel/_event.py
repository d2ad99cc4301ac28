"""The event, as a plugin sees it."""

from typing import Any, Final, Iterable, TypeAlias, Union

from . import _host
from ._failures import Refused
from ._functions import (
    ARRIVED_AT_MS,
    COPY,
    DATA,
    DERIVE,
    EXPAND,
    GET,
    HAS,
    ID,
    JSON,
    KEYS,
    LENGTH,
    PARTITION_KEY,
    REMOVE,
    RENAME,
    REPLACE_TEXT,
    SET,
    SET_TEXT,
    TEXT,
)
from ._values import encode, is_text

_call = _host.call


class Absent:
    """What `Event.get` gives for a field that is not there. False in an `if`."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
"""A field that is not there. Not the same as `None`, which is JSON's null."""

NULL: Final = object()
"""JSON's null as the host hands it over: `None` is a field that is not there then."""


class Boolean:
    """`true` or `false` on the way to the host; on the way from it, the bool itself. The others are alike."""

    __slots__ = ("value",)
    value: Any

    def __new__(cls, value: Any) -> Any:
        return value


class Integer(Boolean):
    """An integer of 64 bits."""

    __slots__ = ()


class Float(Boolean):
    """A number with a fraction or an exponent."""

    __slots__ = ()


class JsonText(Boolean):
    """The JSON text of what is no scalar."""

    __slots__ = ()


class Null:
    """JSON's null."""

    __slots__ = ()


_new = object.__new__


def _carried(kind: type, value: object) -> Any:
    carrier: Any = _new(kind)
    carrier.value = value
    return carrier


def _outgoing(value: object) -> Any:
    """A value as it travels to the host."""
    if value is None:
        return _new(Null)
    kind = type(value)
    if kind is bool:
        return _carried(Boolean, value)
    if kind is int and -0x8000_0000_0000_0000 <= value <= 0x7FFF_FFFF_FFFF_FFFF:  # type: ignore[operator]
        return _carried(Integer, value)
    if kind is float:
        return _carried(Float, value)
    return _carried(JsonText, encode(value))


class Event:
    """One event: a record from the stream, or one part of an aggregated record.

    It lives as long as the call that got it; what is not part of the answer is dropped when the call ends. Changes are seen at once
    by later reads. They become final when the event is part of the answer. When the call fails, they are forgotten.

    An event need not be JSON; `"" in event` asks whether it is. If it is not, `json` and reading find nothing, `replace_text` and
    `remove` give 0, `rename` gives false and `set` fails; only `data` and `derive` are of use.
    """

    __slots__ = ("handle", "finalizer")
    handle: int
    finalizer: Any

    @property
    def id(self) -> str:
        """The event's identity: the shard and the sequence number, with `/` and the part's number after it for a part of an
        aggregated record. It is the same when a record is delivered again."""
        return _call(ID, [self])  # type: ignore[no-any-return]

    @property
    def partition_key(self) -> str:
        """The key that the producer chose, which decided the shard. Empty when the step may not read it (`@partition-key`)."""
        return _call(PARTITION_KEY, [self])  # type: ignore[no-any-return]

    @property
    def arrived_at_ms(self) -> int:
        """When the record arrived in the stream, in milliseconds since 1970-01-01 UTC. Use it in place of a clock: then an event
        that is processed twice comes out the same twice."""
        return _call(ARRIVED_AT_MS, [self])  # type: ignore[no-any-return]

    def get(self, path: str, default: Any = ABSENT) -> Any:
        """The value of a field, or `default` if there is no such field: None, bool, int, float, str, list or dict.

        ::

            event.get("user.id")    42
            event.get("user")       {"id": 42}
            event.get("nobody")     ABSENT
            event.get("")           the whole document
        """
        value = _call(GET, [self, path])
        if value is None:
            return default
        if value is NULL:
            return None
        return value

    def text(self, path: str) -> str | None:
        """The value of a field when it is a string, else None. The cheapest way to read a string."""
        return _call(TEXT, [self, path])  # type: ignore[no-any-return]

    def has(self, path: str) -> bool:
        """Whether the field is there, whatever its value, null included. `path in event` is the same."""
        return _call(HAS, [self, path])  # type: ignore[no-any-return]

    __contains__ = has

    def keys(self, path: str = "") -> list[str]:
        """The names in an object, in the order of the document, each written as a path needs it (in quotes where it must be).
        Empty when there is no object at that path."""
        return _call(KEYS, [self, path])  # type: ignore[no-any-return]

    def length(self, path: str) -> int | None:
        """How many elements an array has, how many names an object, or how many characters a string. None for other values and
        for a field that is not there."""
        return _call(LENGTH, [self, path])  # type: ignore[no-any-return]

    def expand(self, pattern: str) -> list[str]:
        """The paths of all fields that match a pattern, in the order of the document, each fit for the other methods.

        ::

            event.expand("items[*].sku")   ["items[0].sku", "items[1].sku"]
        """
        return _call(EXPAND, [self, pattern])  # type: ignore[no-any-return]

    def set(self, path: str, value: object) -> None:
        """Sets a field. Objects on the way that do not exist are made; an array takes an index up to its length, which appends.

        Raises `Refused`, without any change, when the way leads through a value that is not an object or array, when the index
        is beyond the array's length, or when the event is not JSON. If nobody catches it, the event is rejected.

        ::

            event.set("user.tier", "gold")     {"user": {"tier": "gold"}}
            event.set("tags", ["a", "b"])      {"tags": ["a", "b"]}
            event.set("", tree)                the whole document
        """
        if type(value) is str and is_text(value):
            refused = _call(SET_TEXT, [self, path, value])
        else:
            refused = _call(SET, [self, path, _outgoing(value)])
        if type(refused) is Err:
            raise Refused(refused.value)

    def replace_text(self, pattern: str, text: str) -> int:
        """Gives all fields that match a pattern this text, in every spelling and through arrays; gives how many there were.
        Where there is none, none is made, and null stays null: what masks need, in one call.

        ::

            event.replace_text("user.email", "***")      1, or 0 when there was none
            event.replace_text("items[*].card", "***")   as many as there were
        """
        return _call(REPLACE_TEXT, [self, pattern, text])  # type: ignore[no-any-return]

    def remove(self, pattern: str) -> int:
        """Removes all fields that match a pattern, in every spelling and through arrays. Gives how many went."""
        return _call(REMOVE, [self, pattern])  # type: ignore[no-any-return]

    def rename(self, path: str, to: str) -> bool:
        """Moves a field, with all that is in it, to another path. A field that stands there is replaced; objects on the way are
        made as with `set`. Gives false, without any change, when there is nothing at `path` or no way to `to`."""
        return _call(RENAME, [self, path, to])  # type: ignore[no-any-return]

    def json(self) -> str | None:
        """The whole document as it stands, changes included, as JSON text. None when the event is not JSON."""
        return _call(JSON, [self])  # type: ignore[no-any-return]

    def data(self) -> bytes:
        """The event's bytes as they stand, changes included, JSON or not."""
        return _call(DATA, [self])  # type: ignore[no-any-return]

    def copy(self) -> "Event":
        """A second event that stands where this one stands and goes its own way from here: for fan-out. The bytes are shared, so
        a copy costs little."""
        return _call(COPY, [self])  # type: ignore[no-any-return]

    def derive(self, data: bytes) -> "Event":
        """An event of the same identity with other bytes: for plugins that parse other formats. The bytes should be one JSON
        value in UTF-8 if fields are to be read or set in it, here or in later steps."""
        return _call(DERIVE, [self, data])  # type: ignore[no-any-return]

    def to(self, route: str) -> "Output":
        """This event with the route it takes, for an answer: one of the pipeline's `[routes]`. Without one it keeps the route
        that an earlier step gave it, or else takes the default."""
        return Output(self, route)


class Output:
    """An event and the route it takes."""

    __slots__ = ("event", "route")

    def __init__(self, event: Event, route: str | None = None) -> None:
        self.event = event
        self.route = route


Answer: TypeAlias = Union[None, Event, Output, Iterable[Union[Event, Output]]]
"""What `transform` may return."""


class Err(Exception):
    """How a failure travels, both ways."""

    def __init__(self, value: Any) -> None:
        self.value = value
