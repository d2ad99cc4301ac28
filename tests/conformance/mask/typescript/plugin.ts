import type { Answer, Event } from "paddlewheel";

export function transform(event: Event): Answer {
  if (event.text("level") === "DEBUG") return [];
  event.replaceText("email", "***");
  event.replaceText("ssn", "***");
  event.set("processed_by", "x");
}
