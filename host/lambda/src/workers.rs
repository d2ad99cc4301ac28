//! Threads that run plugins: plain ones outside tokio, because a plugin blocks. Each has its own set of plugins.
//!
//! A set of workers belongs to one invocation at a time, so concurrent invocations share nothing.

use crate::attempt::{Worker, text_of};
use crate::loaded::Loaded;
use crate::outcomes::RecordOutcomes;
use crate::window::Window;
use anyhow::{Context as _, Result, bail};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// One worker a vCPU, loaded with one release.
pub(crate) struct Workers {
    lanes: Vec<mpsc::Sender<Job>>,
}

/// One window for one worker. At most one a worker waits, so the channels stay short.
struct Job {
    window: Arc<Window>,
    answer: UnboundedSender<Result<RecordOutcomes, String>>,
}

impl Workers {
    /// Starts the threads. They end when this is dropped.
    ///
    /// # Errors
    /// Plugins that cannot be instantiated, or threads that the system refuses.
    pub(crate) fn start(loaded: &Arc<Loaded>, count: usize) -> Result<Workers> {
        let lane = |at| {
            let worker = Worker::new(Arc::clone(loaded))?;
            let (jobs, waiting) = mpsc::channel();
            let thread = std::thread::Builder::new().name(format!("worker-{at}"));
            thread.spawn(move || run(worker, &waiting)).context("start a worker thread")?;
            Ok(jobs)
        };
        Ok(Workers { lanes: (0..count.max(1)).map(lane).collect::<Result<_>>()? })
    }

    /// Runs a window on as many workers as are of use.
    ///
    /// # Errors
    /// A worker panicked outside of a record, or has no plugins any more: a bug of ours. This set must not be used
    /// again.
    pub(crate) async fn run(&mut self, window: &Arc<Window>) -> Result<RecordOutcomes> {
        let (answer, mut answers) = unbounded_channel();
        let count = self.lanes.len().min(window.workers_max());
        for lane in &self.lanes[..count] {
            let job = Job { window: Arc::clone(window), answer: answer.clone() };
            lane.send(job).ok().context("a worker thread has ended")?;
        }
        drop(answer);
        let mut all: Option<RecordOutcomes> = None;
        for _ in 0..count {
            match answers.recv().await {
                Some(Ok(outcomes)) => match &mut all {
                    None => all = Some(outcomes),
                    Some(all) => all.merge(outcomes),
                },
                Some(Err(reason)) => bail!("a worker gave up: {reason}"),
                None => bail!("a worker thread has ended"),
            }
        }
        let mut all = all.context("a window without workers")?;
        if count > 1 {
            all.sort();
        }
        Ok(all)
    }
}

fn run(mut worker: Worker, waiting: &mpsc::Receiver<Job>) {
    while let Ok(Job { window, answer }) = waiting.recv() {
        let done = catch_unwind(AssertUnwindSafe(|| window.work(&mut worker)));
        let outcomes = match done {
            Ok(outcomes) => outcomes.map_err(|error| format!("{error:#}")),
            Err(panic) => Err(format!("it panicked: {}", text_of(&*panic))),
        };
        let broken = outcomes.is_err();
        drop(window);
        // Nobody listens when the invocation was given up; that is no concern of this thread.
        answer.send(outcomes).unwrap_or_default();
        if broken {
            return; // What a panic leaves behind is not to be trusted.
        }
    }
}
