//! AWS as we need it locally: what stands before the Lambda, what stands around it, and what stands behind it.
//!
//! It judges the code that it surrounds, so it shares nothing with it: limits, sequence numbers and JSON are checked by
//! code of its own. It is strict where AWS is, and where AWS's behaviour is not known it takes the harsher reading.

pub mod faults;
pub mod firehose;
pub mod intake;
pub mod kinesis;
mod random;
pub mod runtime;
mod server;
mod time;

pub use time::{Clock, system_clock};
