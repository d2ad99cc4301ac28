// What the bench's Rust guest does, in JavaScript: for `swap_ms_javascript`.
let processedBy;

export const plugin = {
  init(config) {
    processedBy = JSON.parse(config).processed_by;
  },
  transform(event) {
    if (event.text("level") === "DEBUG") return [];
    event.replaceText("email", "***");
    event.replaceText("ssn", "***");
    event.setText("processed_by", processedBy);
    return [{ event }];
  },
};
