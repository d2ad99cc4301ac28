"""Makes an event of each element of an array."""

from paddlewheel import Answer, Event

field = ""
place = ""


def init(config: dict[str, str]) -> None:
    global field, place
    field, place = config["field"], config["as"]


def transform(event: Event) -> Answer:
    elements = event.expand(f"{field}[*]")
    if not elements:
        return event
    parts = []
    for element in elements:
        part = event.copy()
        part.rename(element, place)
        part.remove(field)
        parts.append(part)
    return parts
