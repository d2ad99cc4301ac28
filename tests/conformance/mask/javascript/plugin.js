export function transform(event) {
  if (event.text("level") === "DEBUG") return [];
  event.replaceText("email", "***");
  event.replaceText("ssn", "***");
  event.set("processed_by", "x");
}
