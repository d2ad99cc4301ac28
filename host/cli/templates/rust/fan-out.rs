//! Makes an event of each element of an array.

use paddlewheel::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FanOut {
    field: String,
    r#as: String,
}

impl Plugin for FanOut {
    fn transform(&self, event: Event) -> Answer {
        let elements = event.expand(&format!("{}[*]", self.field));
        if elements.is_empty() {
            return keep(event);
        }
        let part = |element: &String| {
            let part = event.copy();
            part.rename(element, &self.r#as);
            part.remove(&self.field);
            part.into()
        };
        Ok(elements.iter().map(part).collect())
    }
}

paddlewheel::plugin!(FanOut);
