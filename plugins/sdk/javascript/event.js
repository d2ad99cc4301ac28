// A stand-in for the host's events, for a plugin's unit tests.
//
// It knows plain JSON, paths and patterns, and arrays that are transparent to them. It does not know other spellings of a name,
// permissions or bounds: those are the host's, and `paddle test` runs the host.
import { Reject, kind, read, write } from "./json.js";
import { ANY_INDEX, ANY_NAME, joined, parse, quoted } from "./path.js";

const THROUGH_SCALAR = "the path leads through a value that holds no fields";
const BEYOND_END = "the index is beyond the end of the array";
const NOT_JSON = "the event is not JSON: derive one that is";

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const wellFormed = (text) => !/\p{Surrogate}/u.test(text);
const put = (object, name, value) =>
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });

/** The value of a part, in a place for it. */
function child(value, part) {
  if (typeof part === "number") return Array.isArray(value) && part < value.length ? { value: value[part] } : undefined;
  return isObject(value) && Object.hasOwn(value, part) ? { value: value[part] } : undefined;
}

/** The places that match a pattern, each as [holder, part, path]. Arrays are transparent to names. */
function* places(value, parts, path) {
  const [part, ...rest] = parts;
  if (Array.isArray(value)) {
    const indexes = part === ANY_INDEX || typeof part !== "number" ? value.keys() : part < value.length ? [part] : [];
    const below = part === ANY_INDEX || typeof part === "number" ? rest : parts;
    for (const k of indexes) {
      if (below.length === 0) yield [value, k, `${path}[${k}]`];
      else yield* places(value[k], below, `${path}[${k}]`);
    }
  } else if (isObject(value) && typeof part !== "number" && part !== ANY_INDEX) {
    const names = part === ANY_NAME ? Object.keys(value) : Object.hasOwn(value, part) ? [part] : [];
    for (const name of names) {
      if (rest.length === 0) yield [value, name, joined(path, name)];
      else yield* places(value[name], rest, joined(path, name));
    }
  }
}

/** Puts a value at a path, as the host does. */
function setAt(root, parts, value) {
  let holder = root;
  let depth = 0;
  for (let found; depth < parts.length - 1 && (found = child(holder, parts[depth])); depth++) holder = found.value;
  const rest = parts.slice(depth);
  if (typeof rest[0] === "number" ? !Array.isArray(holder) : !isObject(holder)) throw new Reject(THROUGH_SCALAR);
  if (typeof rest[0] === "number" && rest[0] > holder.length) throw new Reject(BEYOND_END);
  if (rest.slice(1).some((part) => typeof part === "number" && part > 0)) throw new Reject(BEYOND_END);
  const made = rest.slice(1).reduceRight((inner, part) => (part === 0 ? [inner] : put({}, part, inner)), value);
  put(holder, rest[0], made);
}

export class Event {
  static isPaddlewheelEvent = true;
  #document;
  #data;
  #identity;
  #over = false;

  /** An event of a document, or of bytes or a text that need not be JSON. */
  constructor(content, identity = {}) {
    this.#identity = { id: "shardId-000000000000:1", partitionKey: "", arrivedAtMs: 0, ...identity };
    if (typeof content === "string" || content instanceof Uint8Array) {
      this.#data = typeof content === "string" ? new TextEncoder().encode(content) : content.slice();
      try {
        this.#document = { root: read(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.#data)) };
      } catch {
        this.#document = undefined;
      }
    } else {
      this.#document = { root: read(write(content)) };
    }
  }

  /** The document as it stands; undefined for an event that is not JSON. For tests: a plugin has `get()`. */
  get document() {
    return this.#document?.root;
  }

  /** The call is over: the event leads nowhere. */
  static end(event) {
    event.#over = true;
  }

  #live() {
    if (this.#over) throw new TypeError("this event's call is over: an event lives as long as the call that got it");
  }

  #string(method, what, value) {
    if (typeof value !== "string") throw new TypeError(`event.${method}: ${what} is a string, not ${kind(value)}`);
    if (!wellFormed(value)) throw new TypeError(`event.${method}: ${what} holds half of a surrogate pair`);
    return value;
  }

  #path(method, path) {
    this.#live();
    return parse(this.#string(method, "the path", path));
  }

  #find(method, path) {
    const parts = this.#path(method, path);
    return parts.reduce((at, part) => at && child(at.value, part), this.#document && { value: this.#document.root });
  }

  #places(method, pattern) {
    this.#live();
    if (pattern === undefined) throw new TypeError(`event.${method}: the path is missing`);
    const parts = parse(this.#string(method, "the path", pattern), true);
    return this.#document && parts.length ? [...places(this.#document.root, parts, "")] : [];
  }

  get id() {
    this.#live();
    return this.#identity.id;
  }

  get partitionKey() {
    this.#live();
    return this.#identity.partitionKey;
  }

  get arrivedAtMs() {
    this.#live();
    return this.#identity.arrivedAtMs;
  }

  get(path = "") {
    const found = this.#find("get", path);
    return found && read(write(found.value));
  }

  text(path) {
    if (path === undefined) throw new TypeError("event.text: the path is missing");
    const value = this.#find("text", path)?.value;
    return typeof value === "string" && wellFormed(value) ? value : undefined;
  }

  has(path = "") {
    return this.#find("has", path) !== undefined;
  }

  keys(path = "") {
    const value = this.#find("keys", path)?.value;
    return isObject(value) ? Object.keys(value).map(quoted) : [];
  }

  length(path = "") {
    const value = this.#find("length", path)?.value;
    if (typeof value === "string") return [...value].length;
    if (Array.isArray(value)) return value.length;
    return isObject(value) ? Object.keys(value).length : undefined;
  }

  expand(pattern) {
    return this.#places("expand", pattern).map(([, , path]) => path);
  }

  set(path, value) {
    const parts = this.#path("set", path);
    const copy = read(write(value, path));
    if (!this.#document) throw new Reject(NOT_JSON);
    if (parts.length === 0) this.#document.root = copy;
    else setAt(this.#document.root, parts, copy);
  }

  replaceText(pattern, text) {
    this.#string("replaceText", "the text", text);
    const found = this.#places("replaceText", pattern).filter(([holder, part]) => holder[part] !== null);
    for (const [holder, part] of found) put(holder, part, text);
    return found.length;
  }

  remove(pattern) {
    const found = this.#places("remove", pattern);
    // From the end, so that indexes stay right.
    for (const [holder, part] of found.reverse()) Array.isArray(holder) ? holder.splice(part, 1) : delete holder[part];
    return found.length;
  }

  rename(path, to) {
    const found = this.#find("rename", path);
    const from = parse(path);
    const target = parse(this.#string("rename", "the new path", to));
    const begins = (longer, start) => start.every((part, k) => part === longer[k]);
    if (!found) return false;
    if (from.length === target.length && begins(from, target)) return true;
    // Nothing moves into itself, and nothing over what it stands in.
    if (!from.length || !target.length || begins(target, from)) return false;
    const [holder, part] = [from.slice(0, -1).reduce((at, name) => at[name], this.#document.root), from.at(-1)];
    try {
      setAt(this.#document.root, target, found.value);
    } catch (error) {
      if (error instanceof Reject) return false;
      throw error;
    }
    if (!begins(from, target)) Array.isArray(holder) ? holder.splice(part, 1) : delete holder[part];
    return true;
  }

  json() {
    this.#live();
    return this.#document && write(this.#document.root);
  }

  data() {
    this.#live();
    return this.#document ? new TextEncoder().encode(this.json()) : this.#data.slice();
  }

  copy() {
    this.#live();
    return new Event(this.data(), this.#identity);
  }

  derive(data) {
    this.#live();
    if (typeof data === "string") return new Event(this.#string("derive", "the data", data), this.#identity);
    return new Event(data instanceof Uint8Array ? data : write(data), this.#identity);
  }
}
