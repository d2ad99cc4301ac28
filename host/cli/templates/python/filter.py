"""Drops events by the text of a field."""

from paddlewheel import Answer, Event

field = ""
unwanted = ""


def init(config: dict[str, str]) -> None:
    global field, unwanted
    field, unwanted = config["field"], config["drop"]


def transform(event: Event) -> Answer:
    if event.text(field) == unwanted:
        return []
    return event
