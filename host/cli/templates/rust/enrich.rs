//! Notes the region, and whether a request was slow.

use paddlewheel::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrich {
    region: String,
    slow_ms: f64,
}

impl Plugin for Enrich {
    fn transform(&self, event: Event) -> Answer {
        event.set_text("region", &self.region)?;
        let took = match event.get("took_ms") {
            Some(Value::Integer(took)) => Some(took as f64),
            Some(Value::Number(took)) => Some(took),
            _ => None,
        };
        if let Some(took) = took {
            event.set("slow", &Value::Boolean(took > self.slow_ms))?;
        }
        keep(event)
    }
}

paddlewheel::plugin!(Enrich);
