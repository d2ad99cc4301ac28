// Paths and patterns, as the contract defines them.

class PathError extends Error {
  name = "InvalidOutput";
}

/** The parts of a path: a string for a name, a number for an index, and in patterns ANY_NAME and ANY_INDEX. */
export const ANY_NAME = Symbol("*");
export const ANY_INDEX = Symbol("[*]");

const BARE = /^[^.[\]"\\*]+/;

/** Reads a path. A malformed one ends the call in the host; here it throws. */
export function parse(text, stars = false) {
  const malformed = (why) => {
    throw new PathError(`malformed path \`${text}\`: ${why}`);
  };
  const parts = [];
  let rest = text;
  const take = (count) => (rest = rest.slice(count));
  for (let first = true; rest !== ""; first = false) {
    if (rest[0] === "[") {
      const index = /^\[(\d+|\*)\]/.exec(rest) ?? malformed("a number or a star is expected in brackets");
      parts.push(index[1] === "*" ? ANY_INDEX : Number(index[1]));
      take(index[0].length);
      continue;
    }
    if (!first && rest[0] !== ".") malformed("a dot or a bracket is expected after a bracket or a quote");
    if (!first) take(1);
    if (rest[0] === "*" && /^\*($|[.[])/.test(rest)) {
      parts.push(ANY_NAME);
      take(1);
    } else if (rest[0] === '"') {
      const name = /^"((?:[^"\\]|\\["\\])*)"/.exec(rest) ?? malformed("a quote is not closed");
      parts.push(name[1].replace(/\\(["\\])/g, "$1"));
      take(name[0].length);
    } else {
      const name = BARE.exec(rest) ?? malformed("a part of the path is empty");
      const behind = rest[name[0].length];
      if (behind === "*") malformed("a star stands for a whole part; quote a key that has one");
      if (behind && '"\\]'.includes(behind)) malformed("a key with a quote, a backslash or a bracket needs double quotes around it");
      parts.push(name[0]);
      take(name[0].length);
    }
  }
  if (!stars && parts.some((part) => typeof part === "symbol")) malformed("a star stands for many fields: this call takes the path of one");
  return parts;
}

/** A name as a path needs it. */
export function quoted(name) {
  return BARE.exec(name)?.[0] === name ? name : `"${name.replace(/["\\]/g, "\\$&")}"`;
}

/** The path of a member. */
export function joined(path, name) {
  return path === "" ? quoted(name) : `${path}.${quoted(name)}`;
}
