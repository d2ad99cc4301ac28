from paddlewheel import ABSENT, Answer, Event, Reject, Retry


def transform(event: Event) -> Answer:
    if event.text("level") == "DEBUG":
        return []
    if event.has("bad"):
        raise Reject("the field bad is there: größer")
    if "later" in event:
        raise Retry("not now")
    if event.has("boom"):
        raise ValueError("größer")
    if event.has("print"):
        print("größer gedruckt")
    event.replace_text("email", "***")
    event.replace_text("ssn", "***")
    number = event.get("n")
    if number is not ABSENT:
        event.set("copied", number)
    if event.has("through"):
        event.set("level.deeper", 1)
    event.set("processed_by", "x")
    if event.has("twice"):
        second = event.copy()
        second.set("part", "second")
        return [event, second.to("audit")]
    return None
