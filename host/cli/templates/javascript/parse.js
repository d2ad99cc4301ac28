// Makes fields of a text such as: level=info msg="user logged in"
import { reject } from "paddlewheel";

const PAIR = /([\w-]+)=(?:"([^"]*)"|(\S+))/g;
let field;

export function init(config) {
  field = config.field;
  if (!field) throw new Error("`field` is needed");
}

export function transform(event) {
  const text = event.text(field);
  if (text === undefined) throw reject(`there is no text in \`${field}\``);
  const pairs = [...text.matchAll(PAIR)];
  if (pairs.length === 0) throw reject(`\`${field}\` has no key=value pairs`);
  event.remove(field);
  for (const [, key, quoted, bare] of pairs) event.set(key, quoted ?? bare);
}
