export function mask(event, field) {
  event.replaceText(field, "***");
}
