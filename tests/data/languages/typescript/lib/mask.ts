import type { Event } from "paddlewheel";

export function mask(event: Event, field: string): void {
  event.replaceText(field, "***");
}
