"""Notes the region, and whether a request was slow."""

from typing import Any

from paddlewheel import Answer, Event

region = ""
slow_ms = 0.0


def init(config: dict[str, Any]) -> None:
    global region, slow_ms
    region, slow_ms = str(config["region"]), float(config["slow_ms"])


def transform(event: Event) -> Answer:
    event.set("region", region)
    took = event.get("took_ms")
    if isinstance(took, (int, float)):
        event.set("slow", took > slow_ms)
    return event
