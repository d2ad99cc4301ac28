"""Makes fields of a text such as: level=info msg="user logged in"."""

import re

from paddlewheel import Answer, Event, Reject

PAIR = re.compile(r'([\w-]+)=(?:"([^"]*)"|(\S+))', re.ASCII)
field = ""


def init(config: dict[str, str]) -> None:
    global field
    field = config["field"]


def transform(event: Event) -> Answer:
    text = event.text(field)
    if text is None:
        raise Reject(f"there is no text in `{field}`")
    pairs = list(PAIR.finditer(text))
    if not pairs:
        raise Reject(f"`{field}` has no key=value pairs")
    event.remove(field)
    for pair in pairs:
        key, quoted, bare = pair.groups()
        event.set(key, bare if quoted is None else quoted)
    return event
