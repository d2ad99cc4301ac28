"""Carries out the programs of the conformance suite. What each word does is described in tests/conformance/README.md."""

import json
import random
import time
from typing import Any

from paddlewheel import ABSENT, Answer, Event, Output, Refused, Reject, Retry, log

lines: list[str] = []
seen = 0
chance = random.SystemRandom()
hoarded: list[bytearray] = []


def init(config: dict[str, str]) -> None:
    lines.extend(config["program"].removesuffix("\n").split("\n"))
    for line in lines:
        word, _, reason = line.partition(" ")
        if word == "refuse":
            raise Reject(reason)
        if word == "break":
            raise ValueError(reason)


def transform(event: Event) -> Answer:
    global seen
    seen += 1
    answer: list[Event | Output] = []
    route: str | None = None
    dropped = False
    for line in lines:
        word, _, rest = line.partition(" ")
        match word:
            case "":
                pass
            case "end":
                if rest in event:
                    break
            case "log":
                level, _, message = rest.partition(" ")
                getattr(log, level)(message)
            case "print":
                print(rest)
            case "reject":
                raise Reject(rest)
            case "retry":
                raise Retry(rest)
            case "fail":
                raise ValueError(rest)
            case "spin":
                while True:
                    pass
            case "hoard":
                while True:
                    hoarded.append(bytearray(b"x" * (1 << 20)))
            case "route":
                route = rest
            case "drop":
                dropped = True
            case "forget":
                for _ in range(int(rest)):
                    event.copy()
            case "derive":
                event = event.derive(rest.encode())
            case "bytes":
                event = event.derive(json.dumps({"bytes": list(event.data())}, separators=(",", ":")).encode())
            case "copy":
                copy = event.copy()
                answer.append(Output(event, route))
                event, route = copy, None
            case "twice":
                answer.append(event)
            case _:
                fields(event, word, rest)
    if not dropped:
        answer.append(Output(event, route))
    return answer


def path(text: str) -> tuple[str, str]:
    """The next word as a path, and what comes after it: a dot is the whole document."""
    word, _, rest = text.partition(" ")
    return ("" if word == "." else word), rest


def fields(event: Event, word: str, rest: str) -> None:
    """What is read or changed in the event itself."""
    a, rest = path(rest)
    b, last = path(rest)
    match word:
        case "get":
            value = event.get(a)
            event.set(b, "absent" if value is ABSENT else value)
        case "text":
            event.set(b, or_absent(event.text(a)))
        case "has":
            event.set(b, event.has(a))
        case "length":
            event.set(b, or_absent(event.length(a)))
        case "keys":
            texts(event, event.keys(a), b)
        case "expand":
            texts(event, event.expand(a), b)
        case "each":
            each(event, event.expand(a), b)
        case "eachkey":
            each(event, [f"{a}.{key}" if a else key for key in event.keys(a)], b)
        case "replace":
            event.set(b, event.replace_text(a, last))
        case "erase":
            event.remove(a)
        case "remove":
            event.set(b, event.remove(a))
        case "rename":
            event.set(last, event.rename(a, b))
        case "try":
            event.set(b, tried(event, a))
        case "json":
            event.set(a, or_absent(event.json()))
        case "id":
            event.set(a, event.id)
        case "key":
            event.set(a, event.partition_key)
        case "arrived":
            event.set(a, event.arrived_at_ms)
        case "clock":
            event.set(a, time.time_ns() // 1_000_000)
        case "random":
            event.set(a, chance.getrandbits(32))
        case "count":
            event.set(a, seen)
        case "nest":
            event.set(a, nested(int(b)))
        case _:
            event.set(a, literal(word, rest))


def or_absent(value: object) -> object:
    return "absent" if value is None else value


def texts(event: Event, texts: list[str], to: str) -> None:
    for k, text in enumerate(texts):
        event.set(f"{to}[{k}]", text)


def each(event: Event, paths: list[str], to: str) -> None:
    for k, path in enumerate(paths):
        event.set(f"{to}[{k}]", event.get(path))


def tried(event: Event, path: str) -> str:
    try:
        event.set(path, 1)
    except Refused as why:
        return str(why)
    return "done"


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def literal(word: str, text: str) -> object:
    match word:
        case "null":
            return None
        case "boolean":
            return text == "true"
        case "integer":
            return int(text)
        case "number":
            return float(text)
        case "string":
            return text
        case "value":
            return json.loads(text)
    raise KeyError(f"there is no word {word}")
