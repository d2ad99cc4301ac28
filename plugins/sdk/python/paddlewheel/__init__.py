"""Write a Paddlewheel plugin in Python.

A plugin is a module `plugin` with a function `transform`. It is given one event at a time and answers with what should go on::

    from paddlewheel import Event, Reject

    def transform(event: Event) -> Event | None:
        if event.text("level") == "DEBUG":
            return []
        if "user.id" not in event:
            raise Reject("there is no user")
        event.replace_text("user.email", "***")
        event.set("region", "eu")
        return event

- `return event`, or nothing, keeps the event as it was changed; `return []` drops it; a list of events fans out, and
  `event.to("audit")` in it takes a route.
- `raise Reject("why")` rejects the event, `raise Retry("why")` asks for it again later. A `set` that fails raises `Refused`, which
  rejects the event if nobody catches it. Any other exception means that the plugin is broken; its traceback is in the report.
- `init(config)`, where there is one, is given the step's config from `paddle.toml` before the first event. What it raises refuses
  the release. A config for a plugin without `init` is refused.
- What is printed becomes lines of the log.

The host holds the event. The plugin asks for the fields it needs and says what to change; the rest of the event's bytes go
through as they came. A plugin has no files but those that come with its step, no network and no environment, and it keeps no
state: an instance may be replaced between any two events, and the events of one batch may run in several instances at once.

Paths
-----
A path names a field of the event's JSON document::

    user.email          the field `email` of the object `user`
    items[0].sku        the field `sku` of the first element of the array `items`
    [2]                 the third element, when the document itself is an array
    labels."a[0]"       in quotes, brackets, stars, quotes and backslashes are part of the name
    "" (empty)          the whole document

A pattern is a path in which `*` may stand for any one name and `[*]` for any one index: `user.*`, `items[*].sku`. Only `expand`,
`remove` and `replace_text` take patterns. A malformed path ends the call: the event fails, and the plugin cannot catch it.

A field is named as OpenSearch will index it: `{"user": {"email": 1}}` and `{"user.email": 1}` have the same field `user.email`, and
every method finds it in both.
"""

from ._answers import ABSENT, Absent, Answer, Output
from ._assets import asset, assets
from ._event import Event
from ._failures import Refused, Reject, Retry
from ._values import Json, Number

__all__ = [
    "ABSENT",
    "Absent",
    "Answer",
    "Event",
    "Json",
    "Number",
    "Output",
    "Refused",
    "Reject",
    "Retry",
    "asset",
    "assets",
]
