// Runs generated programs over the SDK's plain event: a line of JSON in for each, a line with what it came to out.
import { readFileSync } from "node:fs";
import * as paddlewheel from "../../../plugins/sdk/javascript/index.js";

const told = (came) => {
  if (came.outputs) return came.outputs.length ? came.outputs.map((output) => output.text).join(" ") : "dropped";
  const [[kind, why]] = Object.entries(came);
  return `${kind}: ${why}`.split("\n")[0];
};

const lines = [];
for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
  const { program, record } = JSON.parse(line);
  const transform = new Function(`return ${program}`)();
  const plugin = { transform: (event) => transform(event, paddlewheel) };
  lines.push(JSON.stringify(told(await paddlewheel.run(plugin, new paddlewheel.Event(record)))));
}
process.stdout.write(lines.join("\n") + "\n");
