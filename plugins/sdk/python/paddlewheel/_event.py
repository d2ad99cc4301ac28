"""The event, as a plugin sees it. This is what editors and type checkers read; where a plugin runs, the runtime's class stands here."""

from typing import Any

from ._answers import ABSENT, Output
from ._host import no_host


class Event:
    """One event: a record from the stream, or one part of an aggregated record.

    It lives as long as the call that got it; what is not part of the answer is dropped when the call ends. Changes are seen at once
    by later reads. They become final when the event is part of the answer. When the call fails, they are forgotten.

    An event need not be JSON; `"" in event` asks whether it is. If it is not, `json` and reading find nothing, `replace_text` and
    `remove` give 0, `rename` gives false and `set` fails; only `data` and `derive` are of use.
    """

    __slots__ = ()

    @property
    def id(self) -> str:
        """The event's identity: the shard and the sequence number, with `/` and the part's number after it for a part of an
        aggregated record. It is the same when a record is delivered again."""
        no_host()

    @property
    def partition_key(self) -> str:
        """The key that the producer chose, which decided the shard. Empty when the step may not read it (`@partition-key`)."""
        no_host()

    @property
    def arrived_at_ms(self) -> int:
        """When the record arrived in the stream, in milliseconds since 1970-01-01 UTC. Use it in place of a clock: then an event
        that is processed twice comes out the same twice."""
        no_host()

    def get(self, path: str, default: Any = ABSENT) -> Any:
        """The value of a field, or `default` if there is no such field: None, bool, int, float, str, list or dict.

        ::

            event.get("user.id")    42
            event.get("user")       {"id": 42}
            event.get("nobody")     ABSENT
            event.get("")           the whole document
        """
        no_host()

    def text(self, path: str) -> str | None:
        """The value of a field when it is a string, else None. The cheapest way to read a string."""
        no_host()

    def has(self, path: str) -> bool:
        """Whether the field is there, whatever its value, null included. `path in event` is the same."""
        no_host()

    __contains__ = has

    def keys(self, path: str = "") -> list[str]:
        """The names in an object, in the order of the document, each written as a path needs it (in quotes where it must be).
        Empty when there is no object at that path."""
        no_host()

    def length(self, path: str) -> int | None:
        """How many elements an array has, how many names an object, or how many characters a string. None for other values and
        for a field that is not there."""
        no_host()

    def expand(self, pattern: str) -> list[str]:
        """The paths of all fields that match a pattern, in the order of the document, each fit for the other methods.

        ::

            event.expand("items[*].sku")   ["items[0].sku", "items[1].sku"]
        """
        no_host()

    def set(self, path: str, value: object) -> None:
        """Sets a field. Objects on the way that do not exist are made; an array takes an index up to its length, which appends.

        Raises `Refused`, without any change, when the way leads through a value that is not an object or array, when the index
        is beyond the array's length, or when the event is not JSON. If nobody catches it, the event is rejected.

        ::

            event.set("user.tier", "gold")     {"user": {"tier": "gold"}}
            event.set("tags", ["a", "b"])      {"tags": ["a", "b"]}
            event.set("", tree)                the whole document
        """
        no_host()

    def replace_text(self, pattern: str, text: str) -> int:
        """Gives all fields that match a pattern this text, in every spelling and through arrays; gives how many there were.
        Where there is none, none is made, and null stays null: what masks need, in one call.

        ::

            event.replace_text("user.email", "***")      1, or 0 when there was none
            event.replace_text("items[*].card", "***")   as many as there were
        """
        no_host()

    def remove(self, pattern: str) -> int:
        """Removes all fields that match a pattern, in every spelling and through arrays. Gives how many went."""
        no_host()

    def rename(self, path: str, to: str) -> bool:
        """Moves a field, with all that is in it, to another path. A field that stands there is replaced; objects on the way are
        made as with `set`. Gives false, without any change, when there is nothing at `path` or no way to `to`."""
        no_host()

    def json(self) -> str | None:
        """The whole document as it stands, changes included, as JSON text. None when the event is not JSON."""
        no_host()

    def data(self) -> bytes:
        """The event's bytes as they stand, changes included, JSON or not."""
        no_host()

    def copy(self) -> "Event":
        """A second event that stands where this one stands and goes its own way from here: for fan-out. The bytes are shared, so
        a copy costs little."""
        no_host()

    def derive(self, data: bytes) -> "Event":
        """An event of the same identity with other bytes: for plugins that parse other formats. The bytes should be one JSON
        value in UTF-8 if fields are to be read or set in it, here or in later steps."""
        no_host()

    def to(self, route: str) -> "Output":
        """This event with the route it takes, for an answer: one of the pipeline's `[routes]`. Without one it keeps the route
        that an earlier step gave it, or else takes the default."""
        no_host()
