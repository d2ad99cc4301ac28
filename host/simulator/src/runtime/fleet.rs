//! Many environments of one function, as Lambda has them: one invocation at a time in each, another environment when
//! all are busy.

use super::environment::Environment;
use super::function::Function;
use super::invoked::Invoked;
use super::log::{Line, Log};
use anyhow::{Context, ensure};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Environments that a fleet may have at once: the concurrency of a new account's region.
pub const ENVIRONMENTS_MAX: usize = 1000;

/// A function's environments. Dropping it kills their processes.
pub struct Fleet {
    function: Function,
    free: Semaphore,
    concurrency: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The one used last is the last, and the next to be used: AWS does not say which it takes.
    idle: Vec<Environment>,
    /// The logs of all environments there were; number 1 is the first.
    logs: Vec<Arc<Log>>,
}

impl Fleet {
    /// A fleet without environments, for up to `concurrency` invocations at once (reserved concurrency).
    ///
    /// # Errors
    /// When that is none, or more than [`ENVIRONMENTS_MAX`].
    pub fn new(function: Function, concurrency: usize) -> anyhow::Result<Fleet> {
        let possible = (1..=ENVIRONMENTS_MAX).contains(&concurrency);
        ensure!(possible, "a concurrency of {concurrency}, where 1 to {ENVIRONMENTS_MAX} are possible");
        Ok(Fleet { function, free: Semaphore::new(concurrency), concurrency, state: Mutex::default() })
    }

    /// Invokes the function in an idle environment, or in a new one. When as many invocations run as may, it waits for
    /// the end of one: what an event source mapping does in the end. Dropping the future ends the environment that has
    /// the invocation.
    ///
    /// # Errors
    /// As [`Environment::start`] and [`Environment::invoke`].
    pub async fn invoke(&self, payload: &[u8]) -> anyhow::Result<Invoked> {
        let permit = self.free.acquire().await.context("wait for a free environment")?;
        self.invoke_in_one(payload, permit).await
    }

    /// The same, and `None` at once when as many invocations run as may: throttled (`TooManyRequestsException`).
    ///
    /// # Errors
    /// As [`Fleet::invoke`].
    pub async fn try_invoke(&self, payload: &[u8]) -> anyhow::Result<Option<Invoked>> {
        match self.free.try_acquire() {
            Ok(permit) => self.invoke_in_one(payload, permit).await.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Starts environments, one after the other, until so many are there and idle, as provisioned concurrency does.
    ///
    /// # Errors
    /// When that is more than the fleet may have, or as [`Environment::start`].
    pub async fn prepare(&self, environments: usize) -> anyhow::Result<()> {
        ensure!(environments <= self.concurrency, "{environments} environments, where {} may be", self.concurrency);
        while self.idle() < environments {
            let environment = self.start_one().await?;
            self.state().idle.push(environment);
        }
        Ok(())
    }

    /// Environments that have no invocation now.
    pub fn idle(&self) -> usize {
        self.state().idle.len()
    }

    /// Environments that were ever started.
    pub fn started(&self) -> usize {
        self.state().logs.len()
    }

    /// Asks each idle environment something, such as its memory.
    pub fn ask_idle<T>(&self, ask: impl FnMut(&Environment) -> T) -> Vec<T> {
        self.state().idle.iter().map(ask).collect()
    }

    /// The lines of every environment there was: the first is number 1. Those written since an environment's last
    /// invocation may be missing.
    pub fn logs(&self) -> Vec<Vec<Line>> {
        let logs = self.state().logs.clone();
        logs.iter().map(|log| log.since(0)).collect()
    }

    /// Ends the idle environments, as AWS does after some minutes or hours: the next invocations are cold starts.
    pub async fn reclaim(&self) {
        let idle = std::mem::take(&mut self.state().idle);
        for environment in idle {
            environment.shutdown().await;
        }
    }

    /// Ends all environments and waits until their processes are gone.
    pub async fn shutdown(self) {
        self.reclaim().await;
    }

    async fn invoke_in_one(&self, payload: &[u8], _permit: SemaphorePermit<'_>) -> anyhow::Result<Invoked> {
        let idle = self.state().idle.pop();
        let mut environment = match idle {
            Some(environment) => environment,
            None => self.start_one().await?,
        };
        let invoked = environment.invoke(payload).await?;
        self.state().idle.push(environment);
        Ok(invoked)
    }

    async fn start_one(&self) -> anyhow::Result<Environment> {
        let log = Arc::new(Log::default());
        let number = {
            let mut state = self.state();
            state.logs.push(log.clone());
            state.logs.len() as u64
        };
        Environment::start_numbered(&self.function, number, log).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves whole environments.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
