//! Carries out the programs of the conformance suite in Rust. What each word does is described in
//! `tests/conformance/README.md`.

use paddlewheel::prelude::*;
use std::cell::Cell;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conformance {
    program: String,
}

thread_local! {
    /// Events that this instance has seen.
    static SEEN: Cell<i64> = const { Cell::new(0) };
}

impl Plugin for Conformance {
    fn check(&self) -> Result<(), String> {
        for line in self.program.lines() {
            match line.split_once(' ') {
                Some(("refuse", reason)) => return Err(reason.to_owned()),
                Some(("break", reason)) => panic!("{reason}"),
                _ => {}
            }
        }
        Ok(())
    }

    fn transform(&self, event: Event) -> Answer {
        SEEN.set(SEEN.get() + 1);
        let mut run = Run { event, done: Vec::new(), route: None, dropped: false };
        for line in self.program.lines() {
            let [word, a, b, rest] = words(line);
            match word {
                "end" if run.event.has(a) => break,
                "end" => {}
                _ => run.step(word, a, b, rest)?,
            }
        }
        if !run.dropped {
            run.done.push(Output { event: run.event, route: run.route });
        }
        Ok(run.done)
    }
}

/// The word of a line, its first two arguments, and everything from the second on. A dot is the whole document.
fn words(line: &str) -> [&str; 4] {
    let (word, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let (a, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let (b, _) = rest.split_once(' ').unwrap_or((rest, ""));
    let path = |text| if text == "." { "" } else { text };
    [word, path(a), path(b), rest]
}

/// What comes after so many words.
fn after(line: &str, words: usize) -> &str {
    line.splitn(words + 1, ' ').nth(words).unwrap_or("")
}

/// One event on its way through a program.
struct Run {
    event: Event,
    done: Vec<Output>,
    route: Option<String>,
    dropped: bool,
}

impl Run {
    fn step(&mut self, word: &str, a: &str, b: &str, rest: &str) -> Result<(), Failure> {
        let all = if rest.is_empty() { a.to_owned() } else { format!("{a} {rest}") };
        match word {
            "log" => log::write(level(a), rest),
            "print" => system::print(&all),
            "reject" => return Err(Failure::Reject(all)),
            "retry" => return Err(Failure::Retry(all)),
            "fail" => panic!("{all}"),
            "spin" => loop {
                std::hint::black_box(a);
            },
            "hoard" => {
                let mut kept = Vec::new();
                loop {
                    kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
                }
            }
            "route" => self.route = Some(a.to_owned()),
            "drop" => self.dropped = true,
            "forget" => (0..number(a)).for_each(|_| drop(self.event.copy())),
            "derive" => self.event = self.event.derive(all.as_bytes()),
            "bytes" => {
                let bytes: Vec<String> = self.event.data().iter().map(u8::to_string).collect();
                self.event = self.event.derive(format!("{{\"bytes\":[{}]}}", bytes.join(",")).as_bytes());
            }
            "copy" => {
                let copy = self.event.copy();
                let event = std::mem::replace(&mut self.event, copy);
                self.done.push(Output { event, route: self.route.take() });
            }
            "refuse" | "" => {}
            _ => return self.fields(word, a, b, rest),
        }
        Ok(())
    }

    fn fields(&self, word: &str, a: &str, b: &str, rest: &str) -> Result<(), Failure> {
        let event = &self.event;
        let absent = || Value::Text("absent".to_owned());
        let texts = |texts: Vec<String>| {
            for (k, text) in texts.iter().enumerate() {
                event.set_text(&format!("{b}[{k}]"), text)?;
            }
            Ok(())
        };
        match word {
            "get" => event.set(b, &event.get(a).unwrap_or_else(absent))?,
            "text" => event.set(b, &event.text(a).map_or_else(absent, Value::Text))?,
            "has" => event.set(b, &Value::Boolean(event.has(a)))?,
            "length" => event.set(b, &event.length(a).map_or_else(absent, |n| Value::Integer(n.into())))?,
            "keys" => return texts(event.keys(a)),
            "expand" => return texts(event.expand(a)),
            "each" => self.each(event.expand(a), b)?,
            "eachkey" => {
                let path = |key: String| if a.is_empty() { key } else { format!("{a}.{key}") };
                self.each(event.keys(a).into_iter().map(path).collect(), b)?;
            }
            "replace" => {
                let count = event.replace_text(a, after(rest, 1));
                event.set(b, &Value::Integer(count.into()))?;
            }
            "erase" => drop(event.remove(a)),
            "remove" => {
                let count = event.remove(a);
                event.set(b, &Value::Integer(count.into()))?;
            }
            "rename" => {
                let moved = event.rename(a, b);
                event.set(after(rest, 1), &Value::Boolean(moved))?;
            }
            "try" => {
                let said = event.set(a, &Value::Integer(1)).err().unwrap_or_else(|| "done".to_owned());
                event.set_text(b, &said)?;
            }
            "json" => event.set(a, &event.json().map_or_else(absent, Value::Text))?,
            "id" => event.set_text(a, &event.id())?,
            "key" => event.set_text(a, &event.partition_key())?,
            "arrived" => event.set(a, &Value::Integer(event.arrived_at_ms() as i64))?,
            "count" => event.set(a, &Value::Integer(SEEN.get()))?,
            "clock" => event.set(a, &Value::Integer(system::now_ms()))?,
            "random" => event.set(a, &Value::Integer(system::random()))?,
            "nest" => {
                let depth = usize::try_from(number(b)).expect("no program nests deeper than that");
                event.set(a, &Value::Json("[".repeat(depth) + &"]".repeat(depth)))?;
            }
            _ => event.set(a, &literal(word, rest))?,
        }
        Ok(())
    }

    fn each(&self, paths: Vec<String>, to: &str) -> Result<(), String> {
        for (k, path) in paths.iter().enumerate() {
            let value = self.event.get(path).expect("the host named it");
            self.event.set(&format!("{to}[{k}]"), &value)?;
        }
        Ok(())
    }
}

/// What Rust's own library has, and the crate that most others take random numbers from.
#[cfg(target_os = "wasi")]
mod system {
    use std::time::{SystemTime, UNIX_EPOCH};

    pub(crate) fn now_ms() -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_millis() as i64
    }

    pub(crate) fn random() -> i64 {
        i64::from(getrandom::u32().expect("the component has random numbers"))
    }

    pub(crate) fn print(text: &str) {
        println!("{text}");
    }
}

/// The target that has none of it.
#[cfg(not(target_os = "wasi"))]
mod system {
    pub(crate) fn now_ms() -> i64 {
        panic!("there is no clock")
    }

    pub(crate) fn random() -> i64 {
        panic!("there are no random numbers")
    }

    pub(crate) fn print(text: &str) {
        panic!("there is nowhere to print {text}")
    }
}

fn literal(word: &str, text: &str) -> Value {
    match word {
        "null" => Value::Null,
        "boolean" => Value::Boolean(text == "true"),
        "integer" => Value::Integer(number(text)),
        "number" => Value::Number(text.parse().expect("a number")),
        "string" => Value::Text(text.to_owned()),
        "value" => Value::Json(text.to_owned()),
        other => panic!("there is no word {other}"),
    }
}

fn level(name: &str) -> log::Level {
    match name {
        "debug" => log::Level::Debug,
        "info" => log::Level::Info,
        "warn" => log::Level::Warn,
        _ => log::Level::Error,
    }
}

fn number(text: &str) -> i64 {
    text.parse().expect("an integer")
}

paddlewheel::plugin!(Conformance);
