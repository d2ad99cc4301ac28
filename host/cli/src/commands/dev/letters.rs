//! Dead letters on their way to the folder, noted for whoever sits at the terminal.

use flate2::read::GzDecoder;
use lambda::{DeadLetters, Writing};
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Dead letters that are noted of one batch: more are the same trouble again.
const NOTED_MAX: usize = 20;

/// What is told of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Noted {
    pub(super) id: String,
    pub(super) step: Option<String>,
    pub(super) kind: String,
    pub(super) message: String,
}

/// Writes dead letters on, and notes the first of them.
pub(super) struct Letters {
    to: Arc<dyn DeadLetters>,
    noted: Mutex<Vec<Noted>>,
}

impl Letters {
    pub(super) fn new(to: Arc<dyn DeadLetters>) -> Letters {
        Letters { to, noted: Mutex::default() }
    }

    /// What was noted since this was last asked.
    pub(super) fn take(&self) -> Vec<Noted> {
        std::mem::take(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, body: &[u8]) {
        let mut text = String::new();
        if GzDecoder::new(body).read_to_string(&mut text).is_err() {
            return; // It is written all the same; only the terminal hears nothing of it.
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let room = NOTED_MAX.saturating_sub(noted.len());
        noted.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()).take(room));
    }
}

impl DeadLetters for Letters {
    fn write(&self, path: String, body: Vec<u8>) -> Writing<'_> {
        self.note(&body);
        self.to.write(path, body)
    }
}
