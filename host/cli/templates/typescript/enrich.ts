// Notes the region, and whether a request was slow.
import type { Answer, Event } from "paddlewheel";

let region: string;
let slowMs: number;

export function init(config: { region?: string; slow_ms?: number }): void {
  if (!config.region || config.slow_ms === undefined) throw new Error("`region` and the number `slow_ms` are needed");
  region = config.region;
  slowMs = config.slow_ms;
}

export function transform(event: Event): Answer {
  event.set("region", region);
  const took: unknown = event.get("took_ms");
  if (typeof took === "number") event.set("slow", took > slowMs);
}
