//! For tests of this crate and of those that build on it: a store that fails as told, a small release with its keys,
//! and whole stories that any store must get through.

mod faulty;
mod fixtures;
mod scenarios;

pub use faulty::{Fault, FaultyStore};
pub use fixtures::{
    draft, engine, live, moving, operator, pipeline, publish_live, publisher, publishing, sign, trusting,
};
pub use scenarios::{life_of_a_channel, race};
