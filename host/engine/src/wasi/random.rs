//! Random numbers: from the seed of the call, so that tests and fuzzing repeat, or from the host's own source.

use wasmtime::{Result, bail};

use super::Wasi;
use super::bindings::wasi::random::{insecure, insecure_seed, random};

/// Random bytes one call may ask for: 65,536 UUIDs. Epochs do not interrupt the host while it fills them.
const RANDOM_BYTES_MAX: u64 = 1024 * 1024;

/// Where random numbers come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Random {
    /// From the seed given to `begin_call`: the same seed, the same numbers. Not for secrets.
    Seeded,
    /// From this function, which fills the slice with unpredictable bytes. Its error ends the call.
    Host(fn(&mut [u8]) -> Result<()>),
}

#[derive(Debug)]
pub(super) struct Generator {
    source: Random,
    /// The state of SplitMix64 when seeded.
    state: u64,
    bytes_left: u64,
}

impl Generator {
    pub(super) fn new(source: Random) -> Generator {
        Generator { source, state: 0, bytes_left: RANDOM_BYTES_MAX }
    }

    pub(super) fn begin_call(&mut self, seed: u64) {
        self.state = seed;
        self.bytes_left = RANDOM_BYTES_MAX;
    }

    fn bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.spend(len)?;
        // `spend` lets no more than RANDOM_BYTES_MAX through.
        let mut bytes = vec![0; len as usize];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.spend(8)?;
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn spend(&mut self, len: u64) -> Result<()> {
        let Some(left) = self.bytes_left.checked_sub(len) else {
            bail!("the plugin asks for {len} more random bytes, one call may have {RANDOM_BYTES_MAX}");
        };
        self.bytes_left = left;
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.source {
            Random::Host(fill) => fill(bytes),
            Random::Seeded => {
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&self.split_mix().to_le_bytes()[..chunk.len()]);
                }
                Ok(())
            }
        }
    }

    /// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>: every seed is good, neighbouring ones too.
    fn split_mix(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Wasi {
    /// `get-random-u64`.
    pub(crate) fn random(&mut self) -> Result<u64> {
        self.random.number()
    }

    /// `insecure-seed`.
    pub(crate) fn seed(&mut self) -> Result<(u64, u64)> {
        Ok((self.random.number()?, self.random.number()?))
    }
}

impl random::Host for Wasi {
    fn get_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random.bytes(len)
    }

    fn get_random_u64(&mut self) -> Result<u64> {
        self.random()
    }
}

impl insecure::Host for Wasi {
    fn get_insecure_random_bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        self.random.bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> Result<u64> {
        self.random.number()
    }
}

impl insecure_seed::Host for Wasi {
    fn insecure_seed(&mut self) -> Result<(u64, u64)> {
        self.seed()
    }
}
