//! Ctrl-C, and the signal by which services are ended: the first one ends after the batch at hand, a second one at
//! once.

use crate::error::{Error, Trouble};
use crate::terminal::Ui;
use crate::{Context, INTERRUPTED};
use anyhow::Context as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A batch that takes longer to end is told of.
const PATIENCE: Duration = Duration::from_millis(300);

/// Heard from now on; notifies at the first one.
pub(super) fn listen(context: &Context) -> Result<Arc<Notify>, Error> {
    let _runtime = context.runtime.enter();
    let mut interrupts = Interrupts::new().context("listen to Ctrl-C").or_outside()?;
    let (first, mut ui) = (Arc::new(Notify::new()), Ui::new(context.ui.format()));
    let ending = Arc::clone(&first);
    context.runtime.spawn(async move {
        interrupts.next().await;
        first.notify_one();
        if tokio::time::timeout(PATIENCE, interrupts.next()).await.is_err() {
            // Whoever closed standard error does not want to know.
            let _ = ui.note("ending when the batch at hand is done; Ctrl-C again ends at once");
            interrupts.next().await;
        }
        std::process::exit(INTERRUPTED);
    });
    Ok(ending)
}

#[cfg(unix)]
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupts {
    fn new() -> std::io::Result<Interrupts> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Interrupts { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Interrupts;

#[cfg(not(unix))]
impl Interrupts {
    fn new() -> std::io::Result<Interrupts> {
        Ok(Interrupts)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
