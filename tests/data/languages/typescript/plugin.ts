import { Event, reject } from "paddlewheel";
import { mask } from "./lib/mask";

interface Config {
  fields: string[];
}

let fields: string[] = [];

export function init(config: Config): void {
  fields = config.fields;
}

export function transform(event: Event) {
  if (event.has("bad")) throw reject("the field bad is there: größer");
  for (const field of fields) mask(event, field);
  return event;
}
