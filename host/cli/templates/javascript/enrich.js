// Notes the region, and whether a request was slow.
let region;
let slowMs;

export function init(config) {
  ({ region, slow_ms: slowMs } = config);
  if (!region || typeof slowMs !== "number") throw new Error("`region` and the number `slow_ms` are needed");
}

export function transform(event) {
  event.set("region", region);
  const took = event.get("took_ms");
  if (typeof took === "number") event.set("slow", took > slowMs);
}
