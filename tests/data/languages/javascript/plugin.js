import { mask } from "./lib/mask.js";

export function transform(event) {
  mask(event, "email");
}
