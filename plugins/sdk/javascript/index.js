// The module "paddlewheel" for plain Node: what the runtime has built in, and what unit tests need. See README.md.
import { Event } from "./event.js";
import { Reject, kind } from "./json.js";

export { Event };

class Retry extends Error {
  name = "Retry";
}

class Output {
  constructor(event, route) {
    this.event = event;
    this.route = route;
  }
}

const reason = (value) => (value === undefined ? "" : String(value));

export const reject = (why) => new Reject(reason(why));
export const retry = (why) => new Retry(reason(why));

export function send(event, route) {
  if (!(event instanceof Event)) throw new TypeError(`this is no event but ${kind(event)}: call the method on the event, as in event.get("a")`);
  if (typeof route !== "string") throw new TypeError(`send: the route is a string, not ${kind(route)}`);
  return new Output(event, route);
}

const EXPECTED = 'expected is nothing, an event, send(event, "route"), or a list of these';

function returned(value) {
  if (value instanceof Reject) return "reject(…): it must be thrown";
  return value instanceof Retry ? "retry(…): it must be thrown" : kind(value);
}

/** The outputs that a returned value stands for. */
function outputs(value, event) {
  if (value === undefined) return [new Output(event)];
  const one = (item, wrong) => {
    if (item instanceof Event) return new Output(item);
    if (item instanceof Output) return item;
    throw new Error(wrong(returned(item)));
  };
  const list = Array.isArray(value)
    ? value.map((item, k) => one(item, (what) => `\`transform\` returned a list with ${what} at [${k}]: ${EXPECTED}`))
    : [one(value, (what) => `\`transform\` returned ${what}: ${EXPECTED}`)];
  if (new Set(list.map((output) => output.event)).size < list.length)
    throw new Error("an event was returned twice: return a copy as the second");
  return list;
}

/** What was thrown, as the runtime takes it. */
function failed(error) {
  const why = reason(error?.message) || "no reason was given";
  if (error instanceof Reject) return { reject: why };
  if (error instanceof Retry) return { retry: why };
  if (error instanceof Error) return { error: error.message ? `${error.name}: ${error.message}` : error.name };
  if (typeof error === "string") return { error: `uncaught "${error}"` };
  return { error: `uncaught ${typeof error === "object" && error !== null ? kind(error) : String(error)}` };
}

/** Runs a plugin on an event, as the runtime does: what goes on, or why nothing does. */
export async function run(plugin, event) {
  const transform = plugin.transform ?? plugin.default;
  let answer;
  try {
    answer = await transform(event);
  } catch (error) {
    Event.end(event);
    return failed(error);
  }
  try {
    const list = outputs(answer, event);
    return {
      outputs: list.map(({ event, route }) => ({
        document: event.document,
        text: new TextDecoder().decode(event.data()),
        ...(route !== undefined && { route }),
      })),
    };
  } catch (error) {
    return { error: error.message };
  } finally {
    Event.end(event);
  }
}
