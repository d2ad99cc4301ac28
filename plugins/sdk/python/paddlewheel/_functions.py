"""The numbers of the contract's functions. componentize-py gives them out in what it generates, which is there while a plugin is
built; the finished component has them as they were read then."""

import importlib
import re
from pathlib import Path


def _numbers(module: str) -> dict[str, int]:
    try:
        generated = importlib.import_module(f"wit_world.imports.{module}")
    except ModuleNotFoundError:
        return {}
    source = Path(generated.__file__ or "").read_text()
    found = re.findall(r"def (\w+)\([^)]*\)[^:]*:(?:(?!\n *def ).)*?call_import\((\d+),", source, re.DOTALL)
    return {name: int(number) for name, number in found}


_events = _numbers("events")
_log = _numbers("log")

ID = _events.get("id", 0)
PARTITION_KEY = _events.get("partition_key", 0)
ARRIVED_AT_MS = _events.get("arrived_at_ms", 0)
GET = _events.get("get", 0)
TEXT = _events.get("text", 0)
HAS = _events.get("has", 0)
KEYS = _events.get("keys", 0)
LENGTH = _events.get("length", 0)
EXPAND = _events.get("expand", 0)
SET = _events.get("set", 0)
SET_TEXT = _events.get("set_text", 0)
REPLACE_TEXT = _events.get("replace_text", 0)
REMOVE = _events.get("remove", 0)
RENAME = _events.get("rename", 0)
JSON = _events.get("json", 0)
DATA = _events.get("data", 0)
COPY = _events.get("copy", 0)
DERIVE = _events.get("derive", 0)
WRITE = _log.get("write", 0)
