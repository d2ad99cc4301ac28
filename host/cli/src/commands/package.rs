//! `paddle package`: the zip that Lambda runs, a template around it, and the commands that deploy both (`deploy`).

mod deploy;

use crate::Context;
use crate::error::{Error, Status, Trouble};
use crate::files::write;
use crate::project::{Components, Project, tidy};
use crate::text;
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use deploy::{Deploy, Known};
use engine::Engine;
use serde_json::json;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use zip::ZipWriter;

/// The template that stands in `deploy/`.
const TEMPLATE: &str = include_str!("../../../../deploy/template.yaml");

/// What Lambda unpacks at most, in bytes: 250 MB with all layers.
const UNPACKED_BYTES_MAX: u64 = 250_000_000;

/// Write the Lambda's zip, and a CloudFormation template around it
///
/// The zip holds `bootstrap`, built by `make lambda`, and nothing of the project: its releases come from the store.
/// With --bundle it holds the pipeline too, with its plugins compiled, for a function without a store.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  paddle package                             function.zip and template.yaml
  paddle package --bundle                    the pipeline of this folder inside
  paddle package --arch arm64 --bootstrap target/aarch64-unknown-linux-gnu/release/bootstrap

For arm64 build the binary with
  cargo zigbuild --release --package lambda --bin bootstrap --no-default-features --target aarch64-unknown-linux-gnu")]
pub(crate) struct Package {
    /// A paddle.toml or its folder (default: the current folder)
    #[arg(value_name = "PIPELINE")]
    pipeline: Option<String>,
    /// Put the pipeline and its plugins inside
    #[arg(long)]
    bundle: bool,
    /// The folder that gets function.zip and template.yaml
    #[arg(short, long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
    /// The function's binary (default: `bootstrap` beside this program, then target/release/bootstrap)
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
    /// The processor that the binary is for
    #[arg(long, value_enum, default_value_t = Arch::X86_64)]
    arch: Arch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    #[value(name = "arm64")]
    Arm64,
}

impl Arch {
    fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Arm64 => "arm64",
        }
    }

    /// `e_machine` of an ELF file for it.
    fn machine(self) -> u16 {
        match self {
            Arch::X86_64 => 62,
            Arch::Arm64 => 183,
        }
    }
}

/// A file in the zip.
struct Entry {
    name: String,
    bytes: Vec<u8>,
    executable: bool,
}

impl Package {
    pub(crate) fn exec(self, context: &mut Context) -> Result<Status, Error> {
        let (path, binary) = self.binary()?;
        check_binary(&path, &binary, self.arch)?;
        let mut entries = vec![Entry { name: "bootstrap".into(), bytes: binary, executable: true }];
        let project = match Project::find(self.pipeline.as_deref()) {
            // Without --bundle it only knows some names, and there may be none here.
            Err(error) if self.bundle || self.pipeline.is_some() => return Err(error),
            project => project.ok(),
        };
        if let Some(project) = project.as_ref().filter(|_| self.bundle) {
            entries.extend(bundle(project, self.arch, context)?);
        }
        let unpacked: u64 = entries.iter().map(|entry| entry.bytes.len() as u64).sum();
        if unpacked > UNPACKED_BYTES_MAX {
            let size = text::bytes(unpacked);
            return Err(Error::usage(format!("the package unpacks to {size}; Lambda takes 250 MB")));
        }
        let zipped = zip(&entries).context("write the zip").or_outside()?;
        let (zip_path, template_path) = (self.out.join("function.zip"), self.out.join("template.yaml"));
        write(&zip_path, &zipped)?;
        let template = TEMPLATE.replace("Default: x86_64,", &format!("Default: {},", self.arch.name()));
        write(&template_path, template)?;
        let deploy = deploy::commands(&Known {
            zip: &zip_path,
            digest: &lambda::digest(&zipped),
            template: &template_path,
            arch: self.arch.name(),
            bundled: self.bundle,
            project: project.as_ref(),
        });
        self.tell(&entries, zipped.len() as u64, (&zip_path, &template_path), &deploy, context)
    }

    fn binary(&self) -> Result<(PathBuf, Vec<u8>), Error> {
        let beside = std::env::current_exe().ok().map(|exe| exe.with_file_name("bootstrap"));
        let built = PathBuf::from("target/release/bootstrap");
        let mut places = match &self.bootstrap {
            Some(path) => vec![path.clone()],
            None => beside.into_iter().chain([built]).collect(),
        };
        places.retain(|path| path.is_file());
        let Some(path) = places.into_iter().next() else {
            return Err(Error::usage(
                "there is no `bootstrap`: build it with `make lambda` in a checkout of Paddlewheel, or name it with --bootstrap",
            ));
        };
        let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display())).or_usage()?;
        Ok((path, bytes))
    }

    fn tell(
        &self,
        entries: &[Entry],
        zipped: u64,
        (zip_path, template): (&Path, &Path),
        deploy: &Deploy,
        context: &mut Context,
    ) -> Result<Status, Error> {
        let ui = &mut context.ui;
        if ui.is_json() {
            let files: Vec<_> =
                entries.iter().map(|entry| json!({"name": entry.name, "bytes": entry.bytes.len()})).collect();
            ui.json(&json!({"zip": zip_path, "bytes": zipped, "template": template, "arch": self.arch.name(), "files": files, "deploy": deploy}))?;
            return Ok(Status::Done);
        }
        let size = text::bytes(zipped);
        ui.line(format!(
            "{}  {size}, {}, {}",
            tidy(zip_path),
            self.arch.name(),
            text::count(entries.len() as u64, "file")
        ))?;
        for entry in entries {
            ui.line(format!("  {}  {}", entry.name, text::bytes(entry.bytes.len() as u64)))?;
        }
        ui.line(format!("{}", tidy(template)))?;
        ui.line("\nTo deploy it, say in this shell what only you know:\n")?;
        let width = deploy.set.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, what) in &deploy.set {
            ui.line(format!("{:<width$}  # {what}", format!("{name}="), width = width + 1))?;
        }
        ui.line("\nand copy this:\n")?;
        deploy.commands.iter().try_for_each(|command| ui.line(command))?;
        Ok(Status::Done)
    }
}

/// A binary for another machine starts nowhere, and Lambda only says `Runtime.InvalidEntrypoint`.
fn check_binary(path: &Path, binary: &[u8], arch: Arch) -> Result<(), Error> {
    let machine = (binary.starts_with(b"\x7FELF")).then(|| binary.get(18..20)).flatten();
    let machine = machine.map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    if machine == Some(arch.machine()) {
        return Ok(());
    }
    let name = arch.name();
    Err(Error::usage(format!("{} is not a Linux program for {name}: see `paddle package --help`", path.display())))
}

/// The pipeline, its plugins, and what they compile to for the function's engine.
fn bundle(project: &Project, arch: Arch, context: &mut Context) -> Result<Vec<Entry>, Error> {
    let entry = |name: String, bytes: Vec<u8>| Entry { name, bytes, executable: false };
    let text = std::fs::read_to_string(project.folder.join("paddle.toml"))
        .with_context(|| format!("read {}", project.folder.join("paddle.toml").display()))
        .or_usage()?;
    let engine = Engine::new(&engine::Settings { instances: 1, ..engine::Settings::default() }).or_plugin()?;
    let native = matches!((arch, std::env::consts::ARCH), (Arch::X86_64, "x86_64") | (Arch::Arm64, "aarch64"));
    if !native {
        return Err(Error::usage(format!(
            "plugins are compiled for this machine's processor: bundle for {} on such a machine, or use a store",
            arch.name()
        )));
    }
    let (mut entries, mut components) = (Vec::new(), Components::default());
    let mut document = text.parse::<toml::Table>().context("read paddle.toml").or_usage()?;
    for (at, step) in project.pipeline.steps.iter().enumerate() {
        let parts = components.of(step, project, context)?;
        let digest = lambda::digest(&parts.wasm);
        let file = format!("plugins/{}.wasm", &digest[..16]);
        let mut assets = toml::Table::new();
        for (name, asset) in parts.assets.iter() {
            let file = place_of(&asset.source, &asset.bytes, &entries);
            assets.insert(name.to_owned(), format!("./{file}").into());
            if !entries.iter().any(|known: &Entry| known.name == file) {
                entries.push(entry(file, asset.bytes.to_vec()));
            }
        }
        place(&mut document, at, &format!("./{file}"), &step.name, assets);
        if entries.iter().any(|known: &Entry| known.name == file) {
            continue;
        }
        let artifact = engine.precompile(&parts.wasm).with_context(|| format!("compile step `{}`", step.name));
        let compiled = format!("plugins/{}", lambda::artifact_name(&digest, &engine.fingerprint()));
        entries.push(entry(compiled, artifact.or_plugin()?));
        entries.push(entry(file, parts.wasm.to_vec()));
    }
    let config = toml::to_string(&document).context("write paddle.toml").or_outside()?;
    entries.insert(0, entry("paddle.toml".into(), config.into_bytes()));
    Ok(entries)
}

/// Where a step's file goes: where it is in the project, so that stacks call it as they do on a laptop. One of
/// elsewhere, or with another of the same name, goes into a folder that is named by its contents.
fn place_of(source: &str, bytes: &[u8], entries: &[Entry]) -> String {
    let taken = entries.iter().any(|entry| entry.name == source && entry.bytes != bytes);
    let name = source.rsplit('/').next().unwrap_or(source);
    match name.len() < source.len() && !taken {
        true => source.to_owned(),
        false => format!("assets/{}/{name}", &lambda::digest(bytes)[..16]),
    }
}

/// Has the step at a place run a file of the package, under the name that it had, with its files from there too.
fn place(document: &mut toml::Table, at: usize, plugin: &str, name: &str, assets: toml::Table) {
    let steps = document.get_mut("step").and_then(toml::Value::as_array_mut);
    if let Some(step) = steps.and_then(|steps| steps.get_mut(at)).and_then(toml::Value::as_table_mut) {
        step.insert("plugin".into(), plugin.into());
        step.insert("name".into(), name.into());
        if !assets.is_empty() {
            step.insert("assets".into(), assets.into());
        }
    }
}

/// The same files make the same zip, byte by byte.
fn zip(entries: &[Entry]) -> anyhow::Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for entry in entries {
        let options = toolchain::zip_options(if entry.executable { 0o755 } else { 0o644 });
        writer.start_file(entry.name.as_str(), options)?;
        writer.write_all(&entry.bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_s_file_goes_where_it_is_in_the_project() {
        let there = [Entry { name: "plugins/a.js".into(), bytes: b"a".to_vec(), executable: false }];
        for (source, bytes, starts, ends) in [
            ("plugins/b.js", b"b", "plugins/b.js", ""),
            ("plugins/a.js", b"a", "plugins/a.js", ""),
            ("plugins/a.js", b"b", "assets/", "/a.js"),
            ("bootstrap", b"b", "assets/", "/bootstrap"),
        ] {
            let place = place_of(source, bytes, &there);
            assert!(place.starts_with(starts) && place.ends_with(ends), "{source}: {place}");
        }
    }

    #[test]
    fn the_same_files_make_the_same_zip_with_a_program_in_it() {
        let entries = || vec![Entry { name: "bootstrap".into(), bytes: vec![1; 1_000], executable: true }];
        let (one, other) = (zip(&entries()).expect("a zip"), zip(&entries()).expect("a zip"));
        assert_eq!(one, other);
        let mut archive = zip::ZipArchive::new(Cursor::new(one)).expect("it is one");
        let file = archive.by_name("bootstrap").expect("it is there");
        assert_eq!((file.unix_mode().map(|mode| mode & 0o777), file.size()), (Some(0o755), 1_000));
    }

    #[test]
    fn a_program_for_another_machine_is_refused() {
        let mut program = b"\x7FELF".to_vec();
        program.resize(64, 0);
        program[18] = 183;
        assert!(check_binary(Path::new("bootstrap"), &program, Arch::Arm64).is_ok());
        for (binary, arch) in [(&program[..], Arch::X86_64), (b"#!/bin/sh", Arch::X86_64), (b"", Arch::Arm64)] {
            assert!(check_binary(Path::new("bootstrap"), binary, arch).is_err());
        }
    }

    #[test]
    fn a_step_keeps_its_name_when_its_plugin_moves() {
        let text = "[[step]]\nplugin = \"./plugins/enrich\"\n[[step]]\nname = \"b\"\nplugin = \"redact\"\n";
        let mut document: toml::Table = text.parse().expect("TOML");
        place(&mut document, 0, "./plugins/x.wasm", "enrich", toml::Table::new());
        place(&mut document, 1, "./plugins/y.wasm", "b", toml::Table::new());
        let steps = document["step"].as_array().expect("steps");
        assert_eq!(
            (steps[0]["name"].as_str(), steps[0]["plugin"].as_str()),
            (Some("enrich"), Some("./plugins/x.wasm"))
        );
        assert_eq!((steps[1]["name"].as_str(), steps[1]["plugin"].as_str()), (Some("b"), Some("./plugins/y.wasm")));
    }
}
