// Drops events by the text of a field.
let field;
let drop;

export function init(config) {
  ({ field, drop } = config);
  if (!field || !drop) throw new Error("`field` and `drop` are needed");
}

export function transform(event) {
  if (event.text(field) === drop) return [];
}
