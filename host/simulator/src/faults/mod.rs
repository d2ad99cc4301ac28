//! An HTTP proxy on 127.0.0.1 that goes wrong on request, to stand in front of S3 (moto, MinIO) or any other HTTP/1.1
//! server.
//!
//! It forwards requests byte for byte (method, path, headers with `Host`, body), so signatures stay valid, and a plan
//! says for each request what goes wrong: slow, refused with one of S3's errors, broken off, tampered with, or not
//! answered at all. The plan can be changed at any time, and every request is logged, so that a test can say how many
//! there may be.
//!
//! ```no_run
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use simulator::faults::{Fault, Proxy, Rule, S3Error, none, rules};
//!
//! let proxy = Proxy::start("http://127.0.0.1:5555", none()).await?;
//! println!("AWS_ENDPOINT_URL_S3={}", proxy.url());
//! // The second and third read of a pointer are throttled, and everything below blobs/ is tampered with.
//! proxy.set(rules([
//!     Rule::new("GET", "/bucket/pipelines/", Fault::Error(S3Error::SLOW_DOWN)).only(2..=3),
//!     Rule::new("GET", "/bucket/blobs/", Fault::Tampered { at: 100 }),
//! ]));
//! assert!(proxy.count("GET", "/bucket/pipelines/") < 10);
//! # Ok::<(), anyhow::Error>(()) }).unwrap();
//! ```

mod answer;
mod forward;
mod plan;
mod proxy;
mod s3;

pub use plan::{Fault, Plan, Request, Rule, always, none, rules, script, seeded};
pub use proxy::{Proxy, SEEN_KEPT_MAX, Seen};
pub use s3::S3Error;
