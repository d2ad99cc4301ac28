// Drops events by the text of a field.
import type { Answer, Event } from "paddlewheel";

let field: string;
let drop: string;

export function init(config: { field?: string; drop?: string }): void {
  if (!config.field || !config.drop) throw new Error("`field` and `drop` are needed");
  ({ field, drop } = config as { field: string; drop: string });
}

export function transform(event: Event): Answer {
  if (event.text(field) === drop) return [];
}
