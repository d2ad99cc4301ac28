//! How large the function's binary is, as `make bench` and `make lambda` build it: without debug information, with
//! names of functions.

use super::measure::{Row, Unit};
use std::path::Path;

/// One row a binary.
pub(crate) fn rows(built: &Path) -> Vec<Row> {
    let row = |name, about, file| {
        let values = match std::fs::metadata(built.join(file)) {
            Ok(found) => Ok(vec![found.len() as f64 / f64::from(1 << 20)]),
            Err(_) => Err("not built: `make bench` does".to_owned()),
        };
        Row { unit: Unit::Mib, values, ..Row::new(name, about, 1) }
    };
    vec![
        row("bootstrap_mib", "the function with the compiler", "bootstrap"),
        row("bootstrap_without_compiler_mib", "as `make lambda` builds it", "bootstrap-without-compiler"),
    ]
}
