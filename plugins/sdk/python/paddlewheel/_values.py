"""Values as JSON text, both ways."""

import json
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias, Union

Json: TypeAlias = Union[None, bool, int, float, Decimal, str, Sequence["Json"], Mapping[str, "Json"]]
"""What a field may be set to. What is read is of these types: None, bool, int, float, str, list and dict, and `Number`."""

# Numbers may be as long as the event allows.
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)


class Number(Decimal):
    """A number that no float holds, such as 1e400. It is written as it was read."""

    text: str

    def __new__(cls, text: str) -> "Number":
        number = super().__new__(cls, text)
        number.text = text
        return number


def _fraction(text: str) -> float | Number:
    value = float(text)
    return Number(text) if value in (float("inf"), float("-inf")) else value


def _integer(text: str) -> int | float:
    return -0.0 if text == "-0" else int(text)


_decode = json.JSONDecoder(parse_float=_fraction, parse_int=_integer).decode


def parse(text: str) -> Any:
    """The value that valid JSON text stands for."""
    return _decode(text)


class _Slow(Exception):
    pass


def _not_plain(value: object) -> object:
    raise _Slow


_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"), default=_not_plain
).encode


def encode(value: object) -> str:
    """JSON text of a value. Half of a surrogate pair becomes an escape."""
    try:
        text = _encode(value)
    except _Slow:
        text = _encode_slowly(value)
    return text if is_text(text) else _escaped(text)


def is_text(text: str) -> bool:
    """Whether a text is valid Unicode, so that it can travel as it is."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sayable(text: str) -> str:
    """A text without halves of surrogate pairs."""
    return text if is_text(text) else text.encode("utf-8", "replace").decode()


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" if "\ud800" <= char <= "\udfff" else char for char in text)


def _encode_slowly(value: object) -> str:
    """What the json module does not write: numbers that no float holds, and whatever else reads like a dict or a list."""
    match value:
        case Number():
            return value.text
        case Decimal() if value.is_finite():
            return str(value)
        case None | bool() | int() | float() | str():
            return _encode(value)
        case bytes() | bytearray() | memoryview():
            pass
        case Mapping():
            return "{" + ",".join(f"{_name(name)}:{_encode_slowly(part)}" for name, part in value.items()) + "}"
        case Sequence():
            return "[" + ",".join(map(_encode_slowly, value)) + "]"
    raise TypeError(f"a value of type {type(value).__name__} has no place in JSON")


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a name in JSON is a str, not {type(name).__name__}")
    return _encode(name)
