// Makes an event of each element of an array.
import type { Answer, Event } from "paddlewheel";

let field: string;
let as: string;

export function init(config: { field?: string; as?: string }): void {
  if (!config.field || !config.as) throw new Error("`field` and `as` are needed");
  ({ field, as } = config as { field: string; as: string });
}

export function transform(event: Event): Answer {
  const elements = event.expand(`${field}[*]`);
  if (elements.length === 0) return event;
  return elements.map((element) => {
    const part = event.copy();
    part.rename(element, as);
    part.remove(field);
    return part;
  });
}
