/**
 * The module "paddlewheel", which the JavaScript runtime has built in. A plugin is an ES module:
 *
 * ```js
 * import { reject } from "paddlewheel";
 *
 * export function transform(event) {
 *   if (event.text("level") === "DEBUG") return [];
 *   if (!event.has("user.id")) throw reject("there is no user");
 *   event.replaceText("user.email", "***");
 *   event.set("region", "eu-west-1");
 * }
 * ```
 *
 * Paths, patterns, permissions and bounds are the contract's: see `wit/transform.wit`.
 */

/** A plain value: integers beyond ±(2^53 − 1) are `bigint`, also inside objects and arrays. */
export type Json = null | boolean | number | bigint | string | Json[] | { [name: string]: Json };

/**
 * One event: a record from the stream, or one part of an aggregated record. It lives as long as the call that got it.
 *
 * Changes are seen at once by later reads. They become final when the event goes on; when the call fails, they are forgotten.
 *
 * An event need not be JSON. If it is not, `json()` is undefined, reading finds nothing, `replaceText` and `remove` give 0, `rename`
 * gives false and `set` fails; only `data` and `derive` are of use. `has("")` asks whether it is JSON.
 */
export class Event {
  /** For unit tests in Node: an event with this document, or of a text or bytes that need not be JSON. */
  constructor(content: Json | Uint8Array, identity?: { id?: string; partitionKey?: string; arrivedAtMs?: number });
  /** For unit tests in Node: the document as it stands; undefined for an event that is not JSON. */
  readonly document: Json | undefined;

  /** The event's identity: the shard and the sequence number. It is the same when a record is delivered again. */
  readonly id: string;
  /** The key that the producer chose. Empty when the step may not read it (`@partition-key`). */
  readonly partitionKey: string;
  /** When the record arrived in the stream, in milliseconds since 1970-01-01 UTC. Use it in place of a clock. */
  readonly arrivedAtMs: number;

  /**
   * The value of a field, or undefined if there is no such field. Without a path, the whole document. Objects and arrays are
   * copies: change the event with `set`.
   */
  get(path?: string): any;
  /** The value of a field when it is a string, else undefined. The cheapest way to read a string. */
  text(path: string): string | undefined;
  /** Whether the field is there, whatever its value, `null` included. */
  has(path?: string): boolean;
  /**
   * The names in an object, in the order of the document, each written as a path needs it (in quotes where it must be). Empty when
   * there is no object at that path.
   */
  keys(path?: string): string[];
  /**
   * How many elements an array has, how many names an object, or how many characters a string. Undefined for other values and for
   * a field that is not there.
   */
  length(path?: string): number | undefined;
  /**
   * The paths of all fields that match a pattern, in the order of the document, each fit for the other methods: `items[*].sku` gives
   * `items[0].sku` and `items[1].sku`.
   */
  expand(pattern: string): string[];
  /**
   * Sets a field. Objects on the way that do not exist are made; an array takes an index up to its length, which appends.
   *
   * Throws, without any change, when the way leads through a value that is not an object or array, when the index is beyond the
   * array's length, when the document would be nested deeper than 512 levels, or when the event is not JSON. If nobody catches
   * that, the event is rejected with the reason. A value that has no JSON (NaN, undefined, a function, an object that holds
   * itself) is a TypeError that says where it stands.
   */
  set(path: string, value: unknown): void;
  /**
   * Gives all fields that match a pattern this text, in every spelling and through arrays; gives how many there were. Where there is
   * none, none is made, and `null` stays `null`: what masks need, in one call.
   */
  replaceText(pattern: string, text: string): number;
  /** Removes all fields that match a pattern, in every spelling and through arrays. Gives how many went. */
  remove(pattern: string): number;
  /**
   * Moves a field, with all that is in it, to another path. A field that stands there is replaced; objects on the way are made as
   * with `set`. Gives false, without any change, when there is nothing at `path` or no way to `to`.
   */
  rename(path: string, to: string): boolean;
  /** The whole document as it stands, changes included, as JSON text. Undefined when the event is not JSON. */
  json(): string | undefined;
  /** The event's bytes as they stand, changes included, JSON or not. */
  data(): Uint8Array;
  /** A second event that stands where this one stands and goes its own way from here: for fan-out. */
  copy(): Event;
  /**
   * An event of the same identity with other content: a text, bytes, or a value that is written as JSON. A step needs unrestricted
   * `reads` and `writes` for it.
   */
  derive(data: string | Uint8Array | Json): Event;
}

/** An event with its route, made by {@link send}. */
export interface Output {
  readonly event: Event;
  readonly route?: string;
}

/**
 * What a transform answers: nothing or the event keeps it as changed, `[]` drops it, a list fans out. A promise is waited for; there
 * is nothing to wait for but other promises.
 */
export type Answer = void | Event | Output | Array<Event | Output>;

/** The event goes on by a route: one of the pipeline's `[routes]`. */
export function send(event: Event, route: string): Output;

/**
 * To be thrown: the event can never be processed, by this version of the plugin. The step's failure policy decides what becomes of it;
 * by default it is kept as a dead letter.
 */
export function reject(reason: string): Error;

/** To be thrown: not now. The batch stops here and Kinesis sends it again later, for as long as the step's `retry_for_s` allows. */
export function retry(reason: string): Error;

/** What a plugin exports. */
export interface Plugin {
  /**
   * Called once in each instance, before the first event, with the step's `config` from `paddle.toml`. Check it here, all of it, unknown
   * keys too: what is thrown refuses the release, and its message is shown to whoever wrote the config.
   */
  init?(config: any): void | Promise<void>;
  /**
   * Called for each event. Use nothing but the event and the config: no counters, no caches that change the outcome. A call that
   * fails with an uncaught exception is tried once more in a fresh instance, and a record may be delivered twice.
   */
  transform(event: Event): Answer | Promise<Answer>;
}

/** For unit tests in Node: runs a plugin on an event as the runtime does. */
export function run(
  plugin: Plugin | { default: Plugin["transform"] },
  event: Event,
): Promise<
  | { outputs: { document: Json | undefined; text: string; route?: string }[] }
  | { reject: string }
  | { retry: string }
  | { error: string }
>;
