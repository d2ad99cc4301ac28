from paddlewheel import Answer, Event


def transform(event: Event) -> Answer:
    if event.text("level") == "DEBUG":
        return []
    event.replace_text("email", "***")
    event.replace_text("ssn", "***")
    event.set("processed_by", "x")
    return event
