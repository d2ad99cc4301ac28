//! What stops a publish before anything is written, each with the option that lets it through.

use super::Prepared;
use super::compare::{Compared, Ran};
use crate::text::{count, number, one_line, time};
use clap::Args;
use registry::{Difference, Fingerprint, HostReport, Manifest, Name};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// Hundredths more fuel per event that a release may take than the one before: as much as a case's budget allows.
pub(crate) const SLOWER_PERCENT_MAX: i64 = 25;

/// Hosts that a sentence names.
const HOSTS_NAMED_MAX: usize = 3;

/// The options that let something through.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Allowed {
    /// Let a plugin import this, which it did not before: a name as the refusal shows it, or how it begins (wasi,
    /// wasi:cli)
    #[arg(long = "allow-import", value_name = "NAME")]
    imports: Vec<String>,
    /// Allow a fuel cost per event more than 25 % above the current release's
    #[arg(long = "allow-slower")]
    slower: bool,
    /// Allow test records with e-mail addresses, card numbers or IBANs to go into the store (addresses at example.com
    /// and the like, and the test numbers of card processors, are always allowed)
    #[arg(long = "allow-pii")]
    pii: bool,
    /// Publish although running hosts are older than this paddle and may not be able to read the pipeline
    #[arg(long = "allow-old-hosts")]
    old_hosts: bool,
}

/// The running hosts of a channel, as far as a new release is their concern.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Readers {
    /// How many there are.
    pub(crate) running: usize,
    /// Those that nothing was compiled for.
    pub(crate) must_compile: Vec<Name>,
    /// Those that are older than this program, and their versions.
    pub(crate) old: Vec<(Name, String)>,
}

impl Readers {
    /// What these hosts would do with a release that was compiled for some engines.
    pub(crate) fn of<'a>(
        hosts: impl Iterator<Item = (&'a Name, &'a HostReport)>,
        channel: &Name,
        compiled: &[Fingerprint],
    ) -> Readers {
        let mut readers = Readers::default();
        for (name, report) in hosts.filter(|(_, report)| report.channel == *channel) {
            readers.running += 1;
            if !report.engine.is_some_and(|engine| compiled.contains(&engine)) {
                readers.must_compile.push(name.clone());
            }
            if is_older(&report.paddle, env!("CARGO_PKG_VERSION")) {
                readers.old.push((name.clone(), report.paddle.clone()));
            }
        }
        readers
    }

    /// What people should know of them, in sentences.
    pub(crate) fn told(&self, compile: Duration) -> Option<String> {
        let hosts = count(self.running as u64, "running host");
        match (self.running, self.must_compile.len()) {
            (0, _) => None,
            (_, 0) => Some(format!("{hosts}, all with the engine that it was compiled for")),
            (_, compiling) => Some(format!(
                "{hosts}, {compiling} with another engine ({}): each would have to compile it, about {} of CPU here, and \
                 refuses it if it was built without a compiler",
                named(self.must_compile.iter()),
                time(compile)
            )),
        }
    }
}

/// Whether a version is below another one; what is no version is not.
fn is_older(version: &str, than: &str) -> bool {
    let parts = |version: &str| -> Option<Vec<u64>> {
        let core = version.split(['-', '+']).next().unwrap_or_default();
        core.split('.').map(|part| part.parse().ok()).collect()
    };
    parts(version).zip(parts(than)).is_some_and(|(version, than)| version < than)
}

fn named<'a>(hosts: impl Iterator<Item = &'a Name>) -> String {
    let mut names: Vec<&str> = hosts.take(HOSTS_NAMED_MAX + 1).map(Name::as_str).collect();
    if names.len() > HOSTS_NAMED_MAX {
        names[HOSTS_NAMED_MAX] = "…";
    }
    names.join(", ")
}

/// Every reason not to publish, each a sentence that ends with what to do; none when all is well.
pub(crate) fn refusals(
    prepared: &Prepared,
    against: Option<(&Manifest, &Compared)>,
    readers: &Readers,
    allowed: &Allowed,
) -> Vec<String> {
    let mut refusals = Vec::new();
    if let Some((from, compared)) = against {
        refusals.extend(imports(from, &compared.difference, &allowed.imports));
        refusals.extend(compared.ran.as_ref().ok().and_then(slower).filter(|_| !allowed.slower));
    }
    refusals.extend(private(&prepared.private).filter(|_| !allowed.pii));
    refusals.extend(old_hosts(readers).filter(|_| !allowed.old_hosts));
    refusals
}

/// Imports that a step's plugin did not have before; for a new step, that no plugin of the release before has.
fn imports(from: &Manifest, difference: &Difference, allowed: &[String]) -> Vec<String> {
    let known: BTreeSet<&String> = from.plugins.iter().flat_map(|plugin| &plugin.imports).collect();
    let mut refusals = Vec::new();
    for step in &difference.steps {
        let added = step.imports_added.iter().filter(|name| step.from.is_some() || !known.contains(name));
        let added: Vec<&String> = added.filter(|name| !allowed.iter().any(|allowed| allows(allowed, name))).collect();
        if !added.is_empty() {
            let options: Vec<String> = added.iter().map(|name| format!("--allow-import {}", one_line(name))).collect();
            let step = one_line(&step.step);
            refusals.push(format!(
                "step `{step}` newly imports what it could not call before; if it may: {}",
                options.join(" ")
            ));
        }
    }
    refusals
}

/// Whether an import is the one that was typed, or one of a package or namespace that was.
fn allows(typed: &str, import: &str) -> bool {
    import.strip_prefix(typed).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '@']))
}

fn slower(ran: &Ran) -> Option<String> {
    let fuel = ran.fuel_per_event.filter(|fuel| fuel.percent_more() > SLOWER_PERCENT_MAX)?;
    Some(format!(
        "an event costs {} fuel, {} % more than now ({}); make it cheaper, or --allow-slower",
        number(fuel.after),
        fuel.percent_more(),
        number(fuel.before)
    ))
}

fn private(found: &[String]) -> Option<String> {
    let first = found.first()?;
    let more = match found.len() {
        1 => String::new(),
        others => format!(" and {} more", others - 1),
    };
    Some(format!(
        "the test records, which everybody who reads the store can read, contain {first}{more}; replace it, leave the records \
         at home ([release] test_records = false), or --allow-pii"
    ))
}

fn old_hosts(readers: &Readers) -> Option<String> {
    let (_, version) = readers.old.first()?;
    Some(format!(
        "{} ({}) with paddle {}, older than this one ({}), and may not be able to read the pipeline; deploy the function first, or \
         --allow-old-hosts",
        match readers.old.len() {
            1 => "1 host runs".to_owned(),
            hosts => format!("{hosts} hosts run"),
        },
        named(readers.old.iter().map(|(name, _)| name)),
        one_line(version),
        env!("CARGO_PKG_VERSION")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publishing::compare::Fuel;

    #[test]
    fn an_import_is_allowed_by_its_name_or_how_it_begins() {
        let import = "wasi:cli/environment@0.2.6";
        for typed in ["wasi", "wasi:cli", "wasi:cli/environment", import] {
            assert!(allows(typed, import), "{typed}");
        }
        for typed in ["was", "wasi:c", "wasi:cli/env", "wasi:cli/environment@0.2", "log"] {
            assert!(!allows(typed, import), "{typed}");
        }
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(is_older("0.9.0", "0.10.0") && is_older("0.1.0-rc.1", "0.2.0"));
        assert!(!is_older("0.10.0", "0.9.1") && !is_older("1.0.0", "1.0.0") && !is_older("", "1.0.0"));
    }

    #[test]
    fn a_quarter_more_is_allowed_and_no_more() {
        let ran = |after| Ran { fuel_per_event: Some(Fuel { before: 1_000, after }), ..Ran::default() };
        assert_eq!(slower(&ran(1_250)), None);
        assert!(slower(&ran(1_300)).is_some_and(|told| told.contains("1,300 fuel, 30 % more")));
        assert_eq!(slower(&Ran::default()), None);
    }

    #[test]
    fn hosts_are_told_by_what_they_would_have_to_do() {
        let live = Name::new("live").expect("a name");
        let engine = |digit: &str| digit.repeat(64).parse::<Fingerprint>().expect("64 digits");
        let host = |name: &str, channel: &str, digit: &str, paddle: &str| {
            let mut report = HostReport::new(Name::new(channel).expect("a name"), 0);
            report.engine = Some(engine(digit));
            report.paddle = paddle.to_owned();
            (Name::new(name).expect("a name"), report)
        };
        let here = env!("CARGO_PKG_VERSION");
        let hosts = [host("a", "live", "1", here), host("b", "live", "2", here), host("c", "staging", "3", here)];
        let readers = Readers::of(hosts.iter().map(|(name, report)| (name, report)), &live, &[engine("1")]);
        assert_eq!((readers.running, readers.must_compile.len(), readers.old.len()), (2, 1, 0));
        let told = readers.told(Duration::from_millis(1_200)).expect("hosts run");
        assert!(told.contains("2 running hosts, 1 with another engine (b)") && told.contains("1.2 s"), "{told}");
        assert_eq!(Readers::default().told(Duration::ZERO), None);
        let old =
            Readers { running: 1, old: vec![(Name::new("x").expect("a name"), "0.0.0".into())], ..Readers::default() };
        assert!(old_hosts(&old).is_some_and(|told| told.starts_with("1 host runs (x) with paddle 0.0.0")));
    }
}
