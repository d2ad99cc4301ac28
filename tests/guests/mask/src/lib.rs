//! The job that the benches time: drop DEBUG, mask two fields, add one. As three steps it is one of them each, and
//! moves a field.

use paddlewheel::prelude::*;

/// Which part of the job this step does.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Mask {
    #[serde(default)]
    part: Part,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    #[default]
    Whole,
    Drop,
    Mask,
    Add,
    Nothing,
    Calls,
}

fn mask(event: &Event) {
    for field in ["email", "ssn"] {
        event.replace_text(field, "***");
    }
}

impl Plugin for Mask {
    fn transform(&self, event: Event) -> Answer {
        match self.part {
            Part::Whole => {
                if event.text("level").as_deref() == Some("DEBUG") {
                    return drop_event();
                }
                mask(&event);
                event.set_text("processed_by", "x")?;
            }
            Part::Drop => {
                if event.text("level").as_deref() == Some("DEBUG") {
                    return drop_event();
                }
            }
            Part::Mask => mask(&event),
            Part::Add => {
                event.set_text("processed_by", "x")?;
                event.rename("http.latency_ms", "http.latency");
            }
            Part::Nothing => {}
            Part::Calls => {
                for _ in 0..100 {
                    event.has("service");
                }
            }
        }
        keep(event)
    }
}

paddlewheel::plugin!(Mask);
