//! Go: `go build` to a core module, with WASI preview 1 answered inside. The contract's calls are in our library.

use std::path::Path;

use crate::{BuildError, Core, Language, Options, place, sdk, tool};

/// The oldest release that exports functions to a host as we need it, and the one that this is tested with.
pub(crate) const WANTED: &str = "Go 1.24 or later";

/// The command that installs it.
#[cfg(target_os = "macos")]
pub(crate) const INSTALL: &str = "brew install go";
/// The command that installs it.
#[cfg(all(not(target_os = "macos"), target_arch = "aarch64"))]
pub(crate) const INSTALL: &str = "curl -fsSL https://go.dev/dl/go1.26.8.linux-arm64.tar.gz | tar -C /usr/local -xz && ln -s ../go/bin/go /usr/local/bin/go";
/// The command that installs it.
#[cfg(all(not(target_os = "macos"), not(target_arch = "aarch64")))]
pub(crate) const INSTALL: &str = "curl -fsSL https://go.dev/dl/go1.26.8.linux-amd64.tar.gz | tar -C /usr/local -xz && ln -s ../go/bin/go /usr/local/bin/go";

/// Compiles the plugin in a folder to a core module.
pub(crate) fn compile(folder: &Path, options: &Options) -> Result<Core, BuildError> {
    let folder = place::full(folder)?;
    let go = tool::on_path("go")
        .ok_or_else(|| BuildError::Missing { what: WANTED.to_owned(), command: INSTALL.to_owned() })?;
    sdk::write(Language::Go, &place::root(&folder))?;
    let out = place::build(&folder, options)?;
    let name = module_name(&folder)?;
    let file = out.join(format!("{name}.core.wasm"));
    let mut command = tool::command(go);
    command.current_dir(&folder).env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
    if options.offline {
        command.env("GOPROXY", "off");
    }
    // Nothing of the machine or of the repository goes in: the same source gives the same component anywhere. Names of
    // functions stay, in the table that stacks are made from.
    command.args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="]);
    command.arg("-o").arg(&file).arg(".");
    let said = tool::compile(&mut command, options.messages)?;
    if !file.is_file() {
        let reason = "its package is not `main`, so nothing was linked".to_owned();
        return Err(BuildError::NotAPlugin { folder, reason });
    }
    Ok(Core { name, folder, file, out, warnings: said.stderr })
}

/// The last part of the module's path, less a version.
fn module_name(folder: &Path) -> Result<String, BuildError> {
    let manifest = folder.join(Language::Go.marker());
    let text = tool::read_text(&manifest)?;
    let path = text.lines().find_map(|line| line.trim().strip_prefix("module ")).unwrap_or_default();
    let path = path.split("//").next().unwrap_or_default().trim().trim_matches(['"', '`']);
    let is_version =
        |part: &&str| part.strip_prefix('v').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let name = path.rsplit('/').find(|part| !is_version(part) && !part.is_empty());
    let name = name.filter(|name| name.chars().all(|char| char.is_alphanumeric() || "-_.".contains(char)));
    Ok(name.map_or_else(|| place::folder_name(folder), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::module_name;

    #[test]
    fn modules_give_names() {
        let folder = tempfile::tempdir().expect("there is room");
        for (manifest, name) in [
            ("module enrich\n", "enrich"),
            ("// ours\nmodule example.com/shop/enrich/v2 // v2\n\ngo 1.24\n", "enrich"),
            ("module \"example.com/x\"\n", "x"),
        ] {
            std::fs::write(folder.path().join("go.mod"), manifest).expect("it can be written");
            assert_eq!(module_name(folder.path()).expect("it can be read"), name);
        }
        std::fs::write(folder.path().join("go.mod"), "").expect("it can be written");
        assert_eq!(module_name(folder.path()).expect("it can be read"), super::place::folder_name(folder.path()));
    }
}
