//! A plugin that imports an interface no host offers (`test:foreign/http`). It must be refused when it is loaded, with
//! that name.

wit_bindgen::generate!({ path: ["../../../wit", "wit"], world: "test:foreign/wants-network", generate_all });

use exports::paddlewheel::transform::plugin::{Event, Failure, Guest, Output};

struct Foreign;

impl Guest for Foreign {
    fn init(_config: String) -> Result<(), String> {
        Ok(())
    }

    fn transform(event: Event) -> Result<Vec<Output>, Failure> {
        let answer = test::foreign::http::get("https://example.com").len().to_string();
        event.set_text("answer", &answer).map_err(Failure::Reject)?;
        Ok(vec![Output { event, route: None }])
    }
}

export!(Foreign);
