//! What the plugins in `tests/data/languages` do as well: drop, reject, retry, mask two, copy a number, add one, fan
//! out.

use paddlewheel::prelude::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Every {}

impl Plugin for Every {
    fn transform(&self, event: Event) -> Answer {
        if event.text("level").as_deref() == Some("DEBUG") {
            return drop_event();
        }
        if event.has("bad") {
            return reject("the field bad is there: größer");
        }
        if event.has("later") {
            return retry("not now");
        }
        event.replace_text("email", "***");
        event.replace_text("ssn", "***");
        if let Some(number) = event.get("n") {
            event.set("copied", &number)?;
        }
        if event.has("through") {
            event.set("level.deeper", &Value::Integer(1))?;
        }
        event.set_text("processed_by", "x")?;
        if event.has("twice") {
            let second = event.copy();
            second.set_text("part", "second")?;
            return Ok(vec![event.into(), Output { event: second, route: Some("audit".to_owned()) }]);
        }
        keep(event)
    }
}

paddlewheel::plugin!(Every);
