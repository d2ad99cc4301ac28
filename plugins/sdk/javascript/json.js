// JSON as the runtime reads and writes it: integers beyond 2^53 - 1 are BigInt, -0 is kept, and what has no JSON is refused with its
// path.
import { joined } from "./path.js";

/** What the host says of a change that fails. It rejects the event if nobody catches it. */
export class Reject extends Error {
  name = "Reject";
}

const DEPTH_MAX = 512;

/** The value of a JSON text. Throws a SyntaxError for what is none, and for a name that stands twice in an object. */
export function read(text) {
  JSON.parse(text);
  let at = 0;
  const next = () => {
    while (" \n\t\r".includes(text[at])) at++;
    return text[at];
  };
  const string = () => {
    const start = at++;
    for (; text[at] !== '"'; at++) if (text[at] === "\\") at++;
    return JSON.parse(text.slice(start, ++at));
  };
  const number = () => {
    const [digits] = /^[-+.eE0-9]+/.exec(text.slice(at, at + 400_000));
    at += digits.length;
    const number = Number(digits);
    return /[.eE]/.test(digits) || Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : BigInt(digits);
  };
  const value = () => {
    switch (next()) {
      case "{": {
        const object = {};
        for (at++; next() !== "}"; ) {
          if (text[at] === ",") at++, next();
          const name = string();
          if (Object.hasOwn(object, name)) throw new SyntaxError(`the name ${JSON.stringify(name)} stands twice in an object`);
          next(), at++;
          Object.defineProperty(object, name, { value: value(), writable: true, enumerable: true, configurable: true });
        }
        return at++, object;
      }
      case "[": {
        const array = [];
        for (at++; next() !== "]"; ) {
          if (text[at] === ",") at++;
          array.push(value());
        }
        return at++, array;
      }
      case '"': return string();
      case "t": return (at += 4), true;
      case "f": return (at += 5), false;
      case "n": return (at += 4), null;
      default: return number();
    }
  };
  return value();
}

/** What a value is called in messages. */
export function kind(value) {
  if (value === undefined || value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number" || typeof value === "string" || typeof value === "symbol" || typeof value === "function")
    return `a ${typeof value}`;
  if (typeof value === "bigint") return "a BigInt";
  if (value instanceof Promise) return "a promise";
  if (Array.isArray(value)) return "an array";
  if (value instanceof Map) return "a Map";
  if (value instanceof Set) return "a Set";
  return value?.constructor?.isPaddlewheelEvent ? "an event" : "an object";
}

/** A value as JSON text. `where`: the path it is meant for. */
export function write(value, where = "") {
  const refuse = (path, why) => {
    throw new TypeError(`\`${path}\`: ${why}`);
  };
  const scalar = (value, path) => {
    switch (typeof value) {
      case "string": return JSON.stringify(value);
      case "boolean": return String(value);
      case "bigint": return String(value);
      case "number":
        if (!Number.isFinite(value)) refuse(path, `${value} is no JSON number`);
        if (Object.is(value, -0)) return "-0";
        return Math.abs(value) > Number.MAX_SAFE_INTEGER && !String(value).includes("e") ? `${value}.0` : String(value);
    }
    return value === null ? "null" : refuse(path, `${kind(value)} is no JSON value`);
  };
  const any = (value, path, key, above) => {
    if (typeof value === "function") refuse(path, "a function is no JSON value");
    if (typeof value === "object" && value !== null && typeof value.toJSON === "function") value = value.toJSON(String(key));
    if (typeof value !== "object" || value === null) return scalar(value, path);
    if (value instanceof Map || value instanceof Set || value instanceof Promise || kind(value) === "an event")
      refuse(path, `${kind(value)} is no JSON value`);
    if (above.includes(value)) refuse(path, "an object that holds itself is no JSON value");
    if (above.length >= DEPTH_MAX) throw new Reject("the event would be nested deeper than 512 levels");
    const below = [...above, value];
    if (Array.isArray(value))
      return `[${Array.from(value, (element, k) => any(element, `${path}[${k}]`, k, below)).join(",")}]`;
    const member = (name) => `${JSON.stringify(name)}:${any(value[name], joined(path, name), name, below)}`;
    return `{${Object.keys(value).map(member).join(",")}}`;
  };
  return any(value, where, "", []);
}
