"""Answers with the bytecode of what the author's script imports of its packages: first which modules, then one for each event."""

import base64
import importlib.util
import json
import sys
from importlib import _bootstrap_external as external

from paddlewheel import Answer, Event

try:
    import paddlewheel_main  # noqa: F401  the author's
    imports = True
except BaseException:
    imports = False  # why, is told when the plugin is started


def imported() -> list[str]:
    places = (getattr(getattr(module, "__spec__", None), "origin", None) or "" for module in list(sys.modules.values()))
    return sorted(place for place in places if place.startswith("/packages/") and place.endswith(".py"))


def transform(event: Event) -> Answer:
    place = event.text("module")
    if place is None:
        event.set("modules", imported() if imports else [])
        return event
    with open(place, "rb") as file:
        source = file.read()
    code = compile(source, place, "exec", dont_inherit=True)
    # Found valid without a look at the source: both come in one archive.
    made = external._code_to_hash_pyc(code, importlib.util.source_hash(source), False)
    event.set("file", importlib.util.cache_from_source(place).removeprefix("/packages/"))
    event.set("bytecode", base64.b64encode(made).decode())
    return event
