//! Drops events by the text of a field.

use paddlewheel::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    field: String,
    drop: String,
}

impl Plugin for Filter {
    fn transform(&self, event: Event) -> Answer {
        if event.text(&self.field).as_ref() == Some(&self.drop) {
            return drop_event();
        }
        keep(event)
    }
}

paddlewheel::plugin!(Filter);
