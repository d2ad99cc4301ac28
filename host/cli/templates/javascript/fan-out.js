// Makes an event of each element of an array.
let field;
let as;

export function init(config) {
  ({ field, as } = config);
  if (!field || !as) throw new Error("`field` and `as` are needed");
}

export function transform(event) {
  const elements = event.expand(`${field}[*]`);
  if (elements.length === 0) return event;
  return elements.map((element) => {
    const part = event.copy();
    part.rename(element, as);
    part.remove(field);
    return part;
  });
}
