//! A step of one worker: calls, a second try after a trap, and instances that are replaced before they do harm.

use crate::fields::Noted;
use crate::instance::{CallError, Instance};
use crate::loaded::Step;
use pipeline::settings::Isolation;
use pipeline::{Event, Fields, LogLine, Output, Plugin, Signal, Transformed, Unsettled};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

pub(crate) struct StepPlugin {
    step: Arc<Step>,
    instance: Option<Instance>,
    noted: Option<Noted>,
}

/// One try and what it leaves behind.
struct Try {
    result: Result<Vec<Output>, CallError>,
    memory_bytes: u64,
    log: Vec<LogLine>,
    log_dropped: u64,
    fuel: u64,
    was_fresh: bool,
}

impl StepPlugin {
    pub(crate) fn new(step: Arc<Step>) -> StepPlugin {
        StepPlugin { step, instance: None, noted: None }
    }

    fn attempt(&mut self, event: &Event, batch_ends: Option<Instant>) -> Try {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            none => match Instance::start(&self.step, batch_ends) {
                Ok(instance) => none.insert(instance),
                Err(error) => {
                    let result = Err(error.into());
                    return Try { result, memory_bytes: 0, log: Vec::new(), log_dropped: 0, fuel: 0, was_fresh: true };
                }
            },
        };
        let was_fresh = instance.is_fresh();
        instance.store.data_mut().noted = self.noted.take();
        let result = instance.call(&self.step, event.clone(), batch_ends);
        let fuel = instance.fuel_used(&self.step);
        let state = instance.store.data_mut();
        self.noted = state.noted.take();
        let done = Try {
            result,
            memory_bytes: state.limiter.used() as u64,
            log: std::mem::take(&mut state.log),
            log_dropped: state.log_dropped,
            fuel,
            was_fresh,
        };
        let reusable = matches!(done.result, Ok(_) | Err(CallError::Signal(_)));
        if !reusable || self.step.isolation != Isolation::Shared || !instance.is_healthy() {
            self.instance = None;
        }
        done
    }
}

impl Plugin for StepPlugin {
    fn transform(&mut self, event: &Event, deadline: Option<Instant>) -> Transformed {
        let started = Instant::now();
        if deadline.is_some_and(|deadline| started >= deadline) {
            return Transformed::without_call(Err(Signal::Unsettled(Unsettled::NoTime)));
        }
        let mut done = self.attempt(event, deadline);
        if matches!(done.result, Err(CallError::Broken(_))) && !done.was_fresh {
            // Its outcome must not depend on what its neighbours left in the instance.
            let first = done.fuel;
            done = self.attempt(event, deadline);
            done.fuel += first;
        }
        let result = done.result.map_err(|error| match error {
            CallError::Signal(signal) | CallError::Spent(signal) => signal,
            CallError::Broken(failure) => Signal::Failed(failure),
        });
        Transformed {
            result,
            elapsed: started.elapsed(),
            memory_bytes: done.memory_bytes,
            log: done.log,
            log_dropped: done.log_dropped,
            fuel: done.fuel,
        }
    }

    fn observe_fields(&mut self, on: bool) {
        match on {
            true => self.noted = Some(self.noted.take().unwrap_or_default()),
            false => self.noted = None,
        }
    }

    fn take_fields(&mut self) -> Fields {
        let fields = self.noted.as_mut().map(Noted::take).unwrap_or_default();
        if self.step.hidden.is_empty() {
            fields
        } else {
            fields.renamed(|name| self.step.hidden.hide(name).into_owned())
        }
    }

    fn hide_start<'t>(&self, text: &'t str, bytes_max: usize) -> Cow<'t, str> {
        self.step.hidden.hide_start(text, bytes_max)
    }
}
