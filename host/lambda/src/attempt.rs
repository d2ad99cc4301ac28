//! One record, run so that a panic of ours concerns it alone.
//!
//! What a panic leaves behind is not to be trusted: the plugins are made anew, and what the record had come to is
//! dropped. It is run once more, since the fault may have been its neighbours'. If that panics too, it is a dead
//! letter.

use crate::loaded::Loaded;
use crate::log::cut;
use crate::outcomes::{RecordOutcomes, RecordPanic, RecordRun};
use anyhow::{Context as _, Result, anyhow};
use pipeline::{Failure, FailureKind, Pipeline, Report, Runner};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::{Arc, Once};

/// Bytes of a panic's text that are kept: a sentence, and the values that it names.
const TEXT_BYTES_MAX: usize = 1 << 10;

/// What one thread runs records with.
pub(crate) struct Worker {
    loaded: Arc<Loaded>,
    runner: Runner,
    stream: String,
    observe_fields: bool,
}

impl Worker {
    /// # Errors
    /// Plugins that cannot be instantiated.
    pub(crate) fn new(loaded: Arc<Loaded>) -> Result<Worker> {
        note_places();
        let runner = Runner::new(Arc::clone(&loaded.pipeline), (loaded.plugins)()?, "");
        Ok(Worker { loaded, runner, stream: String::new(), observe_fields: false })
    }

    /// Begins a batch of this stream.
    pub(crate) fn begin_batch(&mut self, stream: &str, observe_fields: bool) {
        stream.clone_into(&mut self.stream);
        self.observe_fields = observe_fields;
        self.runner.begin_batch(stream);
        self.runner.observe_fields(observe_fields);
    }

    /// What happened at the steps since the last call.
    pub(crate) fn take_report(&mut self) -> Report {
        self.runner.take_report()
    }

    /// Runs one record to its end.
    ///
    /// # Errors
    /// Plugins that cannot be instantiated after a panic.
    pub(crate) fn run(&mut self, outcomes: &mut RecordOutcomes, run: &RecordRun<'_>) -> Result<()> {
        for is_last in [false, true] {
            let before = outcomes.mark();
            // All that a panic may leave in the middle of something is thrown away below.
            let ran = caught(AssertUnwindSafe(|| outcomes.run(run, &mut self.runner)));
            let Err(panic) = ran else { return Ok(()) };
            outcomes.go_back_to(before);
            let report = self.renew()?;
            outcomes.report.merge(report);
            let (text, place) = (self.shown(&panic.text), panic.place);
            let failure = |before: &str| Failure::quoting(FailureKind::Host, before, &text, &format!(" ({place})"));
            outcomes.panicked(RecordPanic { record: run.at, failure: failure("the host panicked: "), is_last });
            if is_last {
                outcomes.give_up(run, failure("the host panicked twice while it ran this record: "));
            }
        }
        Ok(())
    }

    /// Other plugins in place of these. Gives what had happened at the steps, as far as that can still be told.
    fn renew(&mut self) -> Result<Report> {
        let report = caught(AssertUnwindSafe(|| self.runner.take_report())).unwrap_or_default();
        // There is room for so many instances and no more, so the old ones go first.
        let nothing = Runner::new(Arc::new(Pipeline::identity("")), Vec::new(), "");
        let old = std::mem::replace(&mut self.runner, nothing);
        // It may panic again; then it is gone all the same.
        drop(caught(AssertUnwindSafe(|| drop(old))));
        let made = caught(AssertUnwindSafe(|| (self.loaded.plugins)()));
        let made = made.map_err(|panic| anyhow!("{} ({})", panic.text, panic.place)).flatten();
        let plugins = made.context("make the plugins anew after a panic")?;
        self.runner = Runner::new(Arc::clone(&self.loaded.pipeline), plugins, &self.stream);
        self.runner.observe_fields(self.observe_fields);
        Ok(report)
    }

    /// The first line of a panic's text, without secrets.
    fn shown(&self, text: &str) -> String {
        let line = text.lines().next().unwrap_or_default();
        cut(&self.runner.hide_start(line, TEXT_BYTES_MAX), TEXT_BYTES_MAX).to_owned()
    }
}

/// What is known of a panic.
struct Panic {
    text: String,
    place: String,
}

thread_local! {
    /// Whether a panic of this thread is caught here, and where the last one was.
    static CATCHES: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs what may panic. Nothing is printed of that: the caller says it in its own words.
fn caught<T>(work: AssertUnwindSafe<impl FnOnce() -> T>) -> Result<T, Panic> {
    CATCHES.set(true);
    let done = catch_unwind(work);
    CATCHES.set(false);
    done.map_err(|panic| Panic {
        text: text_of(&*panic),
        place: PLACE.take().unwrap_or_else(|| "at an unknown place".to_owned()),
    })
}

/// Has panics that are caught here note where they are. All others are printed as before.
fn note_places() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if CATCHES.try_with(Cell::get).unwrap_or(false) {
                PLACE.set(panic.location().map(place));
            } else {
                before(panic);
            }
        }));
    });
}

/// File and line. Files of libraries stand below a folder of the machine that compiled them, which is left out.
fn place(location: &Location<'_>) -> String {
    let file = location.file();
    let of_library = || {
        let package = file.rfind("/src/").and_then(|end| file[..end].rfind('/'))?;
        file.get(package + 1..)
    };
    let shown = if file.starts_with('/') { of_library().unwrap_or(file) } else { file };
    format!("{shown}:{}", location.line())
}

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
