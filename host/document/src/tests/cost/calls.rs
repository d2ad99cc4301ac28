//! What is asked of a document, at random, and what it costs: work and memory, by the meter and by who really does it.

use super::looks::{self, Looks};
use super::record::{Plan, STEMS, count};
use crate::{Document, EditError, Exhausted, Meter, Path, Pattern, Restricted, Rules, Scope, Value};
use fastrand::Rng;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// What the engine lets a call cost.
const WORK_MAX: u64 = 16_000_000;
pub(super) const BYTES_MAX: usize = 64 << 20;

/// One call of the contract, or what the host does with a document itself.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Parse,
    Get(String),
    Text(String),
    Has(String),
    Keys(String),
    Length(String),
    Expand(String),
    SetText(String, usize),
    SetJson(String, Box<Plan>),
    ReplaceText(String, usize),
    Remove(String),
    Rename(String, String),
    Json,
    Copy,
    Visible,
    Check,
    Forbid,
}

/// How many kinds of call there are.
pub(super) const KINDS: usize = 17;

impl Call {
    pub(super) fn any(random: &mut Rng) -> Call {
        let kind = random.usize(1..KINDS);
        Call::of(kind, random)
    }

    /// A call of a kind; of reading the record, which is done anyway, the cheapest.
    pub(super) fn of(kind: usize, random: &mut Rng) -> Call {
        match kind {
            0 => Call::Has("zzz".to_owned()),
            1 => Call::Get(path(random)),
            2 => Call::Text(path(random)),
            3 => Call::Has(path(random)),
            4 => Call::Keys(path(random)),
            5 => Call::Length(path(random)),
            6 => Call::Expand(pattern(random)),
            7 => Call::SetText(path(random), count(random)),
            8 => Call::SetJson(path(random), Box::new(Plan::any(random, 1))),
            9 => Call::ReplaceText(pattern(random), count(random)),
            10 => Call::Remove(pattern(random)),
            11 => Call::Rename(path(random), path(random)),
            12 => Call::Json,
            13 => Call::Copy,
            14 => Call::Visible,
            15 => Call::Check,
            _ => Call::Forbid,
        }
    }

    pub(super) fn kind(&self) -> usize {
        match self {
            Call::Parse => 0,
            Call::Get(_) => 1,
            Call::Text(_) => 2,
            Call::Has(_) => 3,
            Call::Keys(_) => 4,
            Call::Length(_) => 5,
            Call::Expand(_) => 6,
            Call::SetText(..) => 7,
            Call::SetJson(..) => 8,
            Call::ReplaceText(..) => 9,
            Call::Remove(_) => 10,
            Call::Rename(..) => 11,
            Call::Json => 12,
            Call::Copy => 13,
            Call::Visible => 14,
            Call::Check => 15,
            Call::Forbid => 16,
        }
    }

    /// Whether it asks for fields and changes none.
    pub(super) fn is_read(&self) -> bool {
        (1..=5).contains(&self.kind())
    }

    pub(super) fn name(kind: usize) -> &'static str {
        [
            "parse",
            "get",
            "text",
            "has",
            "keys",
            "length",
            "expand",
            "set-text",
            "set",
            "replace-text",
            "remove",
            "rename",
            "json",
            "copy",
            "visible",
            "check",
            "forbid",
        ][kind]
    }
}

fn path(random: &mut Rng) -> String {
    if random.bool() {
        return STEMS[random.usize(..STEMS.len())].to_owned();
    }
    let part = |random: &mut Rng| match random.usize(..8) {
        0 => format!("[{}]", count(random) / 2),
        1 => ".b".to_owned(),
        2 => "[0]".to_owned(),
        _ => format!(".{}", STEMS[random.usize(..STEMS.len())]),
    };
    let parts: String = (0..random.usize(1..4)).map(|_| part(random)).collect();
    let repeated = parts.repeat(if random.usize(..8) == 0 { random.usize(1..24) } else { 1 });
    repeated.trim_start_matches('.').to_owned()
}

fn pattern(random: &mut Rng) -> String {
    let starred = |part: &str, random: &mut Rng| match random.usize(..3) {
        0 => "*".to_owned(),
        1 => format!("{part}[*]"),
        _ => part.to_owned(),
    };
    let parts: Vec<String> = path(random).split('.').map(|part| starred(part, random)).collect();
    let pattern = parts.join(".").replace("*[", "*.*[");
    if Pattern::parse(&pattern).is_ok() { pattern } else { "*".to_owned() }
}

/// What one call took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) cpu: Duration,
    /// Units that the meter counted.
    pub(super) work: u64,
    /// Bytes that were allocated at once, at most.
    pub(super) bytes: u64,
    /// The meter ended it.
    pub(super) ended: bool,
    pub(super) looks: Looks,
}

/// A document that is asked, as a step holds it.
pub(super) struct Asked {
    document: Document,
    view: Option<Document>,
    scope: Option<Scope>,
}

impl Asked {
    /// Reads a record; none when it is not JSON.
    pub(super) fn read(text: String, scope: Option<Scope>) -> (Option<Asked>, Cost) {
        let bytes = bytes::Bytes::from(text);
        let length = bytes.len() as u64;
        let mut document = None;
        let cost = measured(Meter::unlimited(), |_| {
            document = Document::parse(bytes).ok();
            Ok(())
        });
        let asked = document.map(|document| Asked { document, view: None, scope });
        // Of what is not JSON only its length is known.
        let work = asked.as_ref().map_or(2 * length, |asked| asked.document.parse_work());
        (asked, Cost { work, ..cost })
    }

    /// The same, to be asked apart.
    pub(super) fn copied(&self) -> Asked {
        Asked { document: self.document.clone(), view: self.view.clone(), scope: self.scope.clone() }
    }

    /// Memory that it takes.
    pub(super) fn held(&self) -> usize {
        self.document.overlay_bytes() + self.view.as_ref().map_or(0, Document::overlay_bytes)
    }

    /// Asks with what the engine lets a call cost.
    pub(super) fn ask(&mut self, call: &Call) -> Cost {
        self.ask_within(call, WORK_MAX, BYTES_MAX)
    }

    /// Asks with so much work, and so much memory, what is held already included.
    pub(super) fn ask_within(&mut self, call: &Call, work_max: u64, bytes_max: usize) -> Cost {
        let held = self.held();
        let text = match call {
            Call::SetText(_, length) | Call::ReplaceText(_, length) => "x".repeat(*length),
            Call::SetJson(_, plan) => {
                let mut json = String::new();
                plan.write(&mut json, 1 << 20);
                json
            }
            _ => String::new(),
        };
        // The host does not copy what it checks.
        let mut checked = matches!(call, Call::Check).then(|| self.document.clone());
        measured(Meter::new(work_max, bytes_max.saturating_sub(held)), |meter| match &mut checked {
            Some(document) => check(document, meter),
            None => self.run(call, &text, meter),
        })
    }

    fn run(&mut self, call: &Call, text: &str, meter: &mut Meter) -> Result<(), Exhausted> {
        match call {
            Call::SetText(at, _) => self.set(at, &Value::Text(text.into()), meter),
            Call::SetJson(at, _) => self.set(at, &Value::Json(text.into()), meter),
            Call::ReplaceText(at, _) => self.change(
                meter,
                |document, scope, meter| document.replace_text(&pattern_of(at), text, scope, meter),
                |mut restricted, meter| restricted.replace_text(&pattern_of(at), text, meter),
            ),
            Call::Remove(at) => self.change(
                meter,
                |document, scope, meter| document.remove(&pattern_of(at), scope, meter),
                |mut restricted, meter| restricted.remove(&pattern_of(at), meter),
            ),
            Call::Rename(from, to) => self.change(
                meter,
                |document, scope, meter| document.rename(&path_of(from), &path_of(to), scope, meter),
                |mut restricted, meter| restricted.rename(&path_of(from), &path_of(to), meter),
            ),
            Call::Copy => {
                meter.take(self.document.copy_bytes())?;
                self.document = self.document.clone();
                Ok(())
            }
            Call::Forbid => {
                let mut matches = |text: &str, meter: &mut Meter| meter.read(text.len()).map(|()| text.len() == 1);
                self.document.any_text(&mut matches, meter).map(drop)
            }
            read => read_of(self.visible(meter)?, read, meter),
        }
    }

    fn visible(&mut self, meter: &mut Meter) -> Result<&mut Document, Exhausted> {
        let Some(scope) = self.scope.as_ref().filter(|scope| !scope.reads_all()) else { return Ok(&mut self.document) };
        if self.view.is_none() {
            self.view = Some(self.document.visible(scope, meter)?);
        }
        Ok(self.view.as_mut().expect("made"))
    }

    fn set(&mut self, at: &str, value: &Value<'_>, meter: &mut Meter) -> Result<(), Exhausted> {
        self.change(
            meter,
            |document, scope, meter| document.set(&path_of(at), value, scope, meter),
            |mut restricted, meter| restricted.set(&path_of(at), value, meter),
        )
    }

    fn change<R>(
        &mut self,
        meter: &mut Meter,
        open: impl FnOnce(&mut Document, Option<&Scope>, &mut Meter) -> Result<R, EditError>,
        restricted: impl FnOnce(Restricted<'_>, &mut Meter) -> Result<R, EditError>,
    ) -> Result<(), Exhausted> {
        self.visible(meter)?;
        let changed = match (&self.scope, &mut self.view) {
            (Some(scope), Some(view)) => restricted(Restricted { whole: &mut self.document, view, scope }, meter),
            (scope, _) => open(&mut self.document, scope.as_ref(), meter),
        };
        match changed {
            Err(EditError::Exhausted(exhausted)) => Err(exhausted),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

fn read_of(document: &mut Document, call: &Call, meter: &mut Meter) -> Result<(), Exhausted> {
    match call {
        Call::Get(at) => document.get(&path_of(at), meter).map(drop),
        Call::Text(at) => document.text(&path_of(at), meter).map(drop),
        Call::Has(at) => document.has(&path_of(at), meter).map(drop),
        Call::Keys(at) => document.keys(&path_of(at), meter).map(drop),
        Call::Length(at) => document.length(&path_of(at), meter).map(drop),
        Call::Expand(at) => document.expand(&pattern_of(at), meter).map(drop),
        _ => document.json(meter).map(drop),
    }
}

/// The check on the way out, for a document that is not larger than a record may be.
fn check(document: &mut Document, meter: &mut Meter) -> Result<(), Exhausted> {
    if document.json_bytes(meter)? <= 1_024_000 {
        let rules = Rules { id_field: Some("id".into()), ..Rules::default() };
        if let Err(crate::Refusal::Exhausted(exhausted)) = rules.check(document, "x", meter) {
            return Err(exhausted);
        }
    }
    Ok(())
}

fn path_of(text: &str) -> Path<'_> {
    Path::parse(text).unwrap_or_else(|_| Path::parse("a").expect("a path"))
}

fn pattern_of(text: &str) -> Pattern<'_> {
    Pattern::parse(text).unwrap_or_else(|_| Pattern::parse("*").expect("a pattern"))
}

fn measured(mut meter: Meter, run: impl FnOnce(&mut Meter) -> Result<(), Exhausted>) -> Cost {
    let (allowed, mut result, mut cpu) = (meter.work_left(), Ok(()), Duration::ZERO);
    let memory = allocation_counter::measure(|| {
        looks::begin();
        let begun = thread_cpu();
        result = run(&mut meter);
        cpu = thread_cpu() - begun;
    });
    Cost {
        cpu,
        work: allowed - meter.work_left(),
        bytes: memory.bytes_max,
        ended: result.is_err(),
        looks: looks::counted(),
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
