// Says whether a source can be read. It is run too, since there is no other way to ask, so some never end: those were read.
export function transform(event) {
  const source = event.get("source");
  event.remove("source");
  let said = "read";
  try {
    (0, eval)(source);
  } catch (error) {
    if (error instanceof SyntaxError) said = error.message;
  }
  event.set("said", said);
}
