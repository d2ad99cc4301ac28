// Carries out the programs of the conformance suite. What each word does is described in tests/conformance/README.md.
import { reject, retry, send } from "paddlewheel";

let lines = [];
let seen = 0;
const hoarded = [];

export function init(config) {
  lines = config.program.replace(/\n$/, "").split("\n");
  for (const line of lines) {
    const [word, reason] = cut(line);
    if (word === "refuse") throw new Error(reason);
    if (word === "break") reason.nothing.at.all;
  }
}

// The text before the first space, and what comes after it.
function cut(text) {
  const at = text.indexOf(" ");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

// The same as a path: a dot is the whole document.
function path(text) {
  const [word, rest] = cut(text);
  return [word === "." ? "" : word, rest];
}

export function transform(event) {
  const answer = [];
  let route;
  let dropped = false;
  const done = () => (route === undefined ? event : send(event, route));
  seen += 1;
  for (const line of lines) {
    const [word, rest] = cut(line);
    if (word === "end" && event.has(rest)) break;
    switch (word) {
      case "":
      case "end":
        break;
      case "log": {
        const [level, message] = cut(rest);
        console[level](message);
        break;
      }
      case "print":
        console.log(rest);
        break;
      case "reject":
        throw reject(rest);
      case "retry":
        throw retry(rest);
      case "fail":
        throw new RangeError(rest);
      case "spin":
        for (;;);
      case "hoard":
        for (;;) hoarded.push(new Uint8Array(1 << 20).fill(1));
      case "route":
        route = rest;
        break;
      case "drop":
        dropped = true;
        break;
      case "forget":
        for (let k = Number(rest); k > 0; k--) event.copy();
        break;
      case "derive":
        event = event.derive(rest);
        break;
      case "bytes":
        event = event.derive({ bytes: Array.from(event.data()) });
        break;
      case "copy": {
        const copy = event.copy();
        answer.push(done());
        event = copy;
        route = undefined;
        break;
      }
      case "twice":
        answer.push(event);
        break;
      default:
        fields(event, word, rest);
    }
  }
  if (!dropped) answer.push(done());
  return answer;
}

// What is read or changed in the event itself.
function fields(event, word, after) {
  const [a, rest] = path(after);
  const [b, last] = path(rest);
  switch (word) {
    case "get":
      return event.set(b, orAbsent(event.get(a)));
    case "text":
      return event.set(b, orAbsent(event.text(a)));
    case "has":
      return event.set(b, event.has(a));
    case "length":
      return event.set(b, orAbsent(event.length(a)));
    case "keys":
      return event.keys(a).forEach((key, k) => event.set(`${b}[${k}]`, key));
    case "expand":
      return event.expand(a).forEach((path, k) => event.set(`${b}[${k}]`, path));
    case "each":
      return event.expand(a).forEach((path, k) => event.set(`${b}[${k}]`, event.get(path)));
    case "eachkey":
      return event.keys(a).forEach((key, k) => event.set(`${b}[${k}]`, event.get(a ? `${a}.${key}` : key)));
    case "replace":
      return event.set(b, event.replaceText(a, last));
    case "erase":
      return event.remove(a);
    case "remove":
      return event.set(b, event.remove(a));
    case "rename":
      return event.set(last, event.rename(a, b));
    case "try":
      return event.set(b, tried(event, a));
    case "json":
      return event.set(a, orAbsent(event.json()));
    case "id":
      return event.set(a, event.id);
    case "key":
      return event.set(a, event.partitionKey);
    case "arrived":
      return event.set(a, event.arrivedAtMs);
    case "clock":
      return event.set(a, Date.now());
    case "random":
      return event.set(a, Math.floor(Math.random() * 2 ** 32));
    case "count":
      return event.set(a, seen);
    case "nest": {
      let value = [];
      for (let k = 1; k < Number(b); k++) value = [value];
      return event.set(a, value);
    }
    default:
      return event.set(a, literal(word, rest));
  }
}

function orAbsent(value) {
  return value === undefined ? "absent" : value;
}

function tried(event, path) {
  try {
    event.set(path, 1);
    return "done";
  } catch (why) {
    return why.message;
  }
}

function literal(word, text) {
  switch (word) {
    case "null":
      return null;
    case "boolean":
      return text === "true";
    case "integer":
      return BigInt(text);
    case "number":
      return Number(text);
    case "string":
      return text;
    case "value":
      return JSON.parse(text);
  }
  throw new Error(`there is no word ${word}`);
}
