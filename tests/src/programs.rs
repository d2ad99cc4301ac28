//! The programs of the workspace, as `make build` leaves them beside the tests.

use std::path::PathBuf;

/// The built program of this name.
pub fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("this program");
    // A test lies one folder deeper, in `deps`.
    let found = this.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("there is no {name}: build the workspace's programs first (make build)"))
}
