//! The smallest function that Lambda has: the peak of its memory and the CPU time of its first batch.
//!
//! The real program, as `make lambda` builds it, under the simulated Lambda in a control group that may use 128 MiB:
//! what exceeds it is killed, as on Lambda. A batch is as large as Lambda lets one be. Each plugin runs twice: as the
//! program sets itself up for that memory, and with huge pages, which it uses in larger functions.

use super::data;
use super::measure::{Row, Unit};
use engine::{Engine, Settings};
use registry::Digest;
use simulator::firehose::{Firehose, Options};
use simulator::runtime::{Environment, Function, PAYLOAD_BYTES_MAX};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::conformance::ready_made;
use tests::project::root;
use toolchain::{Language, MAIN};

/// What all rows are named after.
const NAME: &str = "memory_128";

/// The limit, and the size at which the program begins to use huge pages.
const MEMORY_MIB: u32 = 128;
const HUGE_PAGES_MEMORY_MIB: u32 = 512;

/// Functions that are started for a row.
const TIMES: usize = 5;

/// Records of the event; every tenth is dropped.
const RECORDS: usize = 5_600;

/// The longest that an invocation may take: a function that thrashes takes it all.
const TIMEOUT: Duration = Duration::from_secs(60);

/// One function's plugin.
struct Plugin {
    name: &'static str,
    wasm: Vec<u8>,
    script: Option<PathBuf>,
}

/// The rows, if one of the words is in their name.
pub(crate) fn rows(built: &Path, words: &[String]) -> Vec<Row> {
    if !words.is_empty() && !words.iter().any(|word| NAME.contains(word.as_str())) {
        return Vec::new();
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let bootstrap = built.join("bootstrap-without-compiler");
    let mut rows = Vec::new();
    for plugin in plugins() {
        for (pages, memory_mib) in [("", MEMORY_MIB), ("_huge_pages", HUGE_PAGES_MEMORY_MIB)] {
            let name = format!("{NAME}_{}{pages}", plugin.name);
            eprintln!("{name}");
            let measured = runtime.block_on(measure(&bootstrap, &plugin, memory_mib));
            let (peaks, times) = match measured {
                Ok(values) => {
                    let (peaks, times) = values.into_iter().unzip();
                    (Ok(peaks), Ok(times))
                }
                Err(reason) => (Err(reason.clone()), Err(reason)),
            };
            let row = |name: &str, about, unit, values| Row { unit, values, ..Row::new(name, about, 1) };
            rows.push(row(&name, "peak of resident memory, first batch of 6 MB", Unit::Mib, peaks));
            rows.push(row(&format!("{name}_ms"), "CPU time of that batch", Unit::Ms, times));
        }
    }
    rows
}

/// The same job in three languages: drop DEBUG, mask two fields, add one.
fn plugins() -> Vec<Plugin> {
    let script = |name, language, file: &str| {
        let script = root().join("tests/conformance/mask").join(file);
        Plugin { name, wasm: ready_made(language, &[].into()).wasm, script: Some(script) }
    };
    let rust = std::fs::read(env!("GUEST_MASK")).expect("the guest was built");
    vec![
        Plugin { name: "rust", wasm: rust, script: None },
        script("javascript", Language::JavaScript, "javascript/plugin.js"),
        script("python", Language::Python, "python/plugin.py"),
    ]
}

/// The peak in MiB and the CPU time in milliseconds of each function's first batch.
async fn measure(bootstrap: &Path, plugin: &Plugin, memory_mib: u32) -> Result<Vec<(f64, f64)>, String> {
    if !bootstrap.is_file() {
        return Err("not built: `make bench` does".to_owned());
    }
    let group = Group::new(u64::from(MEMORY_MIB) << 20)?;
    let folder = tempfile::tempdir().expect("a folder");
    package(plugin, folder.path());
    let event = data::event(RECORDS, None);
    assert!(event.len() <= PAYLOAD_BYTES_MAX && event.len() > PAYLOAD_BYTES_MAX / 100 * 95, "{} bytes", event.len());
    let mut values = Vec::new();
    for _ in 0..TIMES {
        values.push(first_batch(bootstrap, folder.path(), &group, memory_mib, &event).await?);
    }
    Ok(values)
}

/// A pipeline of one step, compiled.
fn package(plugin: &Plugin, folder: &Path) {
    let engine = Engine::new(&Settings::default()).expect("an engine");
    let artifact = engine.precompile(&plugin.wasm).expect("it is a plugin");
    let name = lambda::artifact_name(&Digest::of(&plugin.wasm).to_string(), &engine.fingerprint());
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("a folder of our own");
    write("plugin.wasm", &plugin.wasm);
    write(&name, &artifact);
    let mut toml = "[pipeline]\nname = \"small\"\n[[step]]\nname = \"mask\"\nplugin = \"./plugin.wasm\"\n".to_owned();
    if let Some(script) = &plugin.script {
        let name = script.file_name().and_then(|name| name.to_str()).expect("a script's name");
        write(name, &std::fs::read(script).expect("it is checked in"));
        toml.push_str(&format!("assets = {{ {MAIN} = \"./{name}\" }}\n"));
    }
    write("paddle.toml", toml.as_bytes());
}

async fn first_batch(
    bootstrap: &Path,
    package: &Path,
    group: &Group,
    memory_mib: u32,
    event: &[u8],
) -> Result<(f64, f64), String> {
    let firehose = Firehose::start(Options::new(["clicks"])).await.map_err(|error| format!("{error:#}"))?;
    let scratch = tempfile::tempdir().expect("a folder");
    let mut function = group.function(bootstrap);
    function.memory_mib = memory_mib;
    function.timeout = TIMEOUT;
    function.scratch = Some(scratch.path().to_owned());
    function.env = [
        ("PADDLE_CONFIG", package.join("paddle.toml").display().to_string()),
        ("PADDLE_ROUTES", "default=clicks".to_owned()),
        ("PADDLE_DEAD_LETTERS", format!("file://{}/letters", scratch.path().display())),
        ("PADDLE_PARTIAL_FAILURES", "reported".to_owned()),
        // Both ways the same, whatever memory is told.
        ("PADDLE_WORKERS", "1".to_owned()),
        ("PADDLE_WINDOW_MIB", (MEMORY_MIB / 4).to_string()),
        ("AWS_ENDPOINT_URL_FIREHOSE", firehose.url().to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let mut running = Environment::start(&function).await.map_err(|error| format!("{error:#}"))?;
    let cpu =
        |running: &Environment| cpu_ms(running.process_id()).ok_or("the process ended: too little memory".to_owned());
    let before = cpu(&running)?;
    let invoked = running.invoke(event).await.map_err(|error| format!("{error:#}"))?;
    invoked.outcome.into_result().map_err(|failure| failure.to_string())?;
    let took = cpu(&running)? - before;
    let memory = running.memory().ok_or("the process ended")?;
    running.shutdown().await;
    let accepted = firehose.accepted_count() as usize;
    let expected = RECORDS - RECORDS.div_ceil(10);
    if accepted != expected {
        return Err(format!("{accepted} documents of {expected} arrived: {:?}", invoked.log.last()));
    }
    Ok((memory.peak_bytes as f64 / f64::from(1 << 20), took))
}

/// CPU time of all threads of a process so far, in milliseconds.
fn cpu_ms(process: Option<u32>) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process?)).ok()?;
    // Behind the name, which may hold anything: the 12th and 13th fields are ticks in user and system mode.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
    Some(ticks as f64 * 1e3 / rustix::param::clock_ticks_per_second() as f64)
}

/// A control group whose processes may use so much memory together.
struct Group(PathBuf);

impl Group {
    /// Makes one below the root, in either version of the kernel's interface.
    fn new(bytes: u64) -> Result<Group, String> {
        let name = format!("paddlewheel-bench-{}", std::process::id());
        let (folder, limit) = match Path::new("/sys/fs/cgroup/memory").is_dir() {
            true => (Path::new("/sys/fs/cgroup/memory").join(name), "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup").join(name), "memory.max"),
        };
        let failed = |error| format!("{}: {error}: only root can limit memory", folder.display());
        std::fs::create_dir(&folder).map_err(failed)?;
        let group = Group(folder.clone());
        std::fs::write(folder.join(limit), bytes.to_string()).map_err(failed)?;
        Ok(group)
    }

    /// The program, in the group from its first instruction on.
    fn function(&self, program: &Path) -> Function {
        let mut function = Function::new("/bin/sh");
        let enter = "echo $$ > \"$0/cgroup.procs\" && exec \"$1\"";
        function.arguments = ["-c", enter].map(str::to_owned).to_vec();
        function.arguments.extend([&self.0, program].map(|path: &Path| path.display().to_string()));
        function
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir(&self.0) {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}
