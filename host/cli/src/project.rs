//! A pipeline as it is named on the command line: found, its plugins built, and loaded as the function loads it.

mod finder;

use crate::Context;
use crate::bytecode;
use crate::cases::NOW_MS;
use crate::compiled;
use crate::environment;
use crate::error::{Error, Trouble};
use crate::ready_made;
use crate::text;
use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use engine::{Clock, Code, Engine, LoadError, Mode};
use finder::InProject;
use pipeline::settings::Step;
use pipeline::{Assets, Pipeline, secret_names};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use toolchain::{BuildError, Built, Contract, Language, Made, Messages, Options, Script};

/// What a pipeline's file is called.
pub(crate) const FILE: &str = "paddle.toml";

/// The script that a JavaScript plugin's folder begins with.
const MAIN_SCRIPTS: [&str; 2] = ["plugin.js", "plugin.py"];

/// A pipeline and where it is.
#[derive(Clone)]
pub(crate) struct Project {
    pub(crate) pipeline: Pipeline,
    /// Paths in the pipeline begin here, and `.paddle` is here.
    pub(crate) folder: PathBuf,
    /// The folder whose `tests` are its own: that of the pipeline, or that of the one plugin.
    pub(crate) tests: PathBuf,
    /// What it was read from, for people.
    pub(crate) source: String,
    /// The text of its `paddle.toml`; none when it was made of one plugin that was named.
    pub(crate) text: Option<String>,
}

/// Where a step's plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Inside this program.
    ReadyMade(String),
    /// A component.
    Wasm(PathBuf),
    /// A script.
    Script(PathBuf),
    /// A folder with source.
    Folder(PathBuf),
}

/// A plugin's component.
#[derive(Default)]
pub(crate) struct Component {
    pub(crate) wasm: Bytes,
    /// The ready-made plugin that this is, where the plugin is a script.
    pub(crate) runtime: Option<&'static str>,
    /// What the plugin brings along: a script, by the names under which its runtime is handed it.
    pub(crate) files: BTreeMap<String, PathBuf>,
    /// What the compiler made of it, when it has source.
    pub(crate) built: Option<Built>,
}

/// What a step runs: a component, and the files that come with it.
#[derive(Clone)]
pub(crate) struct StepParts {
    pub(crate) wasm: Bytes,
    pub(crate) assets: Assets,
}

impl StepParts {
    /// Bytes of what is the step's own: a script, or else its component.
    pub(crate) fn size(&self) -> u64 {
        let script = self.assets.get(Step::SCRIPT).map(|_| self.assets.iter().map(|(_, file)| file.bytes.len()).sum());
        script.unwrap_or(self.wasm.len()) as u64
    }
}

/// A loaded step, for people.
pub(crate) struct StepInfo {
    pub(crate) origin: Origin,
    pub(crate) parts: StepParts,
    /// How long it took to compile and start.
    pub(crate) load: Duration,
}

/// A pipeline, ready to run.
pub(crate) struct Ready {
    pub(crate) loaded: lambda::Loaded,
    pub(crate) steps: Vec<StepInfo>,
    /// What it runs on.
    pub(crate) engine: Engine,
    /// The code of each component, by digest.
    pub(crate) codes: HashMap<String, Code>,
}

/// What is being done with a step, for errors.
pub(crate) fn loading(step: &Step) -> String {
    format!("load step `{}` (plugin `{}`)", step.name, shown(step))
}

/// How to load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loading {
    pub(crate) mode: Mode,
    pub(crate) clock: Clock,
    pub(crate) secrets: SecretsFrom,
    pub(crate) workers: usize,
}

/// Where secrets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretsFrom {
    /// `PADDLE_SECRET_…`; one that is missing is an error.
    Environment,
    /// All are the same placeholder.
    Dummy,
}

impl Loading {
    /// As in production.
    pub(crate) const PRODUCTION: Loading =
        Loading { mode: Mode::Epochs, clock: Clock::Real, secrets: SecretsFrom::Environment, workers: 1 };

    /// As in tests, where the same records come to the same: fuel is counted, the clock stands still, and secrets are
    /// placeholders.
    pub(crate) const TEST: Loading =
        Loading { mode: Mode::Fuel, clock: Clock::Fixed(NOW_MS), secrets: SecretsFrom::Dummy, workers: 4 };
}

impl Project {
    /// Finds what `PIPELINE` names: a `paddle.toml`, its folder, or one plugin; nothing: the current folder.
    pub(crate) fn find(named: Option<&str>) -> Result<Project, Error> {
        let named = named.unwrap_or(".");
        let path = Path::new(named);
        if path.is_dir() {
            let file = path.join(FILE);
            return match Language::of(path) {
                _ if file.is_file() => Project::read(&file),
                Ok(_) => Project::of_plugin(path, Origin::Folder(path.to_owned())),
                Err(_) => Err(Error::usage(format!(
                    "there is no {FILE} in {}: name a {FILE}, its folder, or one plugin ({}, a .wasm, a .js or .py, a plugin's folder)",
                    folder_name(path),
                    ready_made::names()
                ))),
            };
        }
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("toml") => Project::read(path),
            Some("wasm") if path.is_file() => Project::of_plugin(path, Origin::Wasm(path.to_owned())),
            _ if Step::runtime(named).is_some() && path.is_file() => {
                Project::of_plugin(path, Origin::Script(path.to_owned()))
            }
            _ if ready_made::find(named).is_some() => Ok(Project {
                pipeline: Pipeline::of_plugin(named, named),
                folder: PathBuf::from("."),
                tests: PathBuf::from("."),
                source: format!("the ready-made plugin `{named}`"),
                text: None,
            }),
            _ => Err(Error::usage(format!(
                "there is no pipeline `{named}`: name a {FILE}, its folder, or one plugin ({}, a .wasm, a .js or .py, a plugin's folder)",
                ready_made::names()
            ))),
        }
    }

    fn read(file: &Path) -> Result<Project, Error> {
        let shown = tidy(file).to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("read the pipeline {shown}")).or_usage()?;
        let pipeline = Pipeline::parse(&text).map_err(|error| anyhow!("{shown}: {error}")).or_usage()?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Ok(Project { pipeline, tests: folder.clone(), folder, source: shown, text: Some(text) })
    }

    /// The part of it that is one step.
    pub(crate) fn of_step(&self, step: &Step, tests: PathBuf) -> Project {
        Project {
            pipeline: Pipeline { steps: vec![step.clone()], ..self.pipeline.clone() },
            folder: self.folder.clone(),
            tests,
            source: format!("step `{}` of {}", step.name, self.source),
            text: None,
        }
    }

    /// The plugin's step in the pipeline that its folder belongs to: it has a config there, and limits. The script that
    /// a plugin's folder begins with stands for the folder.
    fn around(plugin: &Path) -> Result<Option<Project>, Error> {
        let Ok(plugin) = plugin.canonicalize() else { return Ok(None) };
        let Some(file) = plugin.ancestors().skip(1).map(|folder| folder.join(FILE)).find(|file| file.is_file()) else {
            return Ok(None);
        };
        let project = Project::read(&file)?;
        let step_of = |plugin: &Path| {
            let is_it =
                |step: &&Step| project.folder.join(&step.plugin).canonicalize().is_ok_and(|found| found == plugin);
            let tests = if plugin.is_dir() { plugin.to_owned() } else { project.folder.clone() };
            project.pipeline.steps.iter().find(is_it).map(|step| project.of_step(step, tests))
        };
        let around = plugin
            .parent()
            .filter(|_| plugin.file_name().is_some_and(|name| MAIN_SCRIPTS.iter().any(|main| name == *main)));
        Ok(step_of(&plugin).or_else(|| around.and_then(step_of)))
    }

    fn of_plugin(path: &Path, origin: Origin) -> Result<Project, Error> {
        if let Some(project) = Project::around(path)? {
            return Ok(project);
        }
        let absolute = std::path::absolute(path).context("find the current folder").or_outside()?;
        let name = absolute.file_stem().map_or("plugin".into(), |name| name.to_string_lossy().into_owned());
        let source = match origin {
            Origin::Folder(_) => format!("the plugin in {}", folder_name(path)),
            Origin::ReadyMade(_) | Origin::Wasm(_) | Origin::Script(_) => format!("the plugin {}", path.display()),
        };
        let pipeline = Pipeline::of_plugin(&name, &absolute.to_string_lossy());
        let tests = if path.is_dir() { path.to_owned() } else { PathBuf::from(".") };
        Ok(Project { pipeline, folder: PathBuf::from("."), tests, source, text: None })
    }

    /// Gives the one plugin of this project its config, as JSON.
    pub(crate) fn configure(&mut self, json: &str) -> Result<(), Error> {
        if self.text.is_some() {
            return Err(Error::usage("--config is for one plugin; a pipeline's configs stand in its paddle.toml"));
        }
        let config = serde_json::from_str(json).context("--config is not JSON").or_usage()?;
        self.pipeline.steps.iter_mut().for_each(|step| step.config = serde_json::Value::clone(&config));
        Ok(())
    }

    /// Where a step's plugin comes from.
    pub(crate) fn origin(&self, step: &Step) -> Result<Origin, Error> {
        let named = &step.plugin;
        if !named.contains(['/', '.']) {
            if ready_made::find(named).is_some() {
                return Ok(Origin::ReadyMade(named.clone()));
            }
            let shipped = self.folder.join("plugins").join(format!("{named}.wasm"));
            if shipped.is_file() {
                return Ok(Origin::Wasm(shipped));
            }
            return Err(Error::usage(format!(
                "step `{}`: there is no ready-made plugin `{named}` (there are {}); a plugin of your own is a path: \"./plugins/{named}\"",
                step.name,
                ready_made::names()
            )));
        }
        let path = self.folder.join(Path::new(named).strip_prefix(".").unwrap_or(Path::new(named)));
        let told = || format!("step `{}`: plugin `{named}`", step.name);
        if path.is_dir() {
            return Ok(Origin::Folder(path));
        }
        if !path.is_file() {
            return Err(Error::usage(format!("{}: there is no such file or folder", told())));
        }
        match path.extension() {
            Some(ending) if ending == "wasm" => Ok(Origin::Wasm(path)),
            _ if step.script().is_some() => Ok(Origin::Script(path)),
            _ => Err(Error::usage(format!("{}: it is neither a .wasm, a .js or .py, nor a plugin's folder", told()))),
        }
    }

    /// Builds what has source and loads every step, each started once and asked to accept its config.
    pub(crate) fn load(&self, context: &mut Context, loading: &Loading) -> Result<Ready, Error> {
        self.load_of(&mut Components::default(), context, loading)
    }

    /// The same, of what was built already as far as it was: several loads then run the same bytes, whatever is saved
    /// meanwhile.
    pub(crate) fn load_of(
        &self,
        components: &mut Components,
        context: &mut Context,
        loading: &Loading,
    ) -> Result<Ready, Error> {
        let engine = engine(loading, self.pipeline.steps.len())?;
        let secrets = environment::secrets().or_usage()?;
        let (codes, infos) = (HashMap::new(), Vec::new());
        let secrets_from = loading.secrets;
        let (project, engine_of) = (self, &engine);
        let mut finder = InProject {
            project,
            engine: engine_of,
            components,
            context,
            secrets,
            secrets_from,
            codes,
            infos,
            current: None,
        };
        let loaded = lambda::Loaded::assemble(&engine, Arc::new(self.pipeline.clone()), &mut finder)?;
        let InProject { codes, infos: steps, .. } = finder;
        Ok(Ready { loaded, steps, engine, codes })
    }

    /// Secrets that the pipeline names and the environment does not have, with the variable of each.
    pub(crate) fn missing_secrets(&self) -> Result<Vec<(String, String)>, Error> {
        let secrets = environment::secrets().or_usage()?;
        let mut names: Vec<String> = self.pipeline.steps.iter().flat_map(|step| secret_names(&step.config)).collect();
        names.sort();
        names.dedup();
        names.retain(|name| secrets.get(name).is_err());
        Ok(names
            .into_iter()
            .map(|name| (lambda::Secrets::variable(&name), name))
            .map(|(variable, name)| (name, variable))
            .collect())
    }
}

impl Origin {
    /// For people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Origin::ReadyMade(name) => format!("{name} (ready-made)"),
            Origin::Wasm(path) | Origin::Script(path) | Origin::Folder(path) => tidy(path).to_string(),
        }
    }
}

/// How the ready-made runtime begins what it says of a script that it cannot run at all, whatever the config.
const NO_SCRIPT: &str = "the script cannot be loaded: ";

/// What Python's runtime says of a module that is not there, and what it adds where there is one that it cannot use.
const NO_MODULE: &str = "ModuleNotFoundError: No module named ";
const COMPILED: &str = "it is compiled for a machine";
const PACKAGES_HINT: &str = "\n  A plugin with packages is a folder with a plugin.py and a requirements.txt that names them; `paddle build` says how to install them.";

/// A config that the plugin refuses is for the pipeline's author to change, everything else for the plugin's.
pub(crate) fn load_error(error: LoadError, told: String) -> Error {
    if let LoadError::Init(reason) = &error
        && reason.starts_with(NO_SCRIPT)
    {
        let hint = if reason.contains(NO_MODULE) && !reason.contains(COMPILED) { PACKAGES_HINT } else { "" };
        return Error::Plugin(anyhow!("{reason}{hint}").context(told));
    }
    let refused = matches!(error, LoadError::Init(_));
    let error = anyhow::Error::new(error).context(told);
    if refused { Error::Usage(error) } else { Error::Plugin(error) }
}

/// An engine for pipelines of so many steps.
pub(crate) fn engine(loading: &Loading, steps: usize) -> Result<Engine, Error> {
    // One instance a step and worker, and as many again while instances are replaced.
    let instances = u32::try_from((steps.max(1) * loading.workers * 2).max(4)).unwrap_or(u32::MAX);
    Engine::new(&engine::Settings { mode: loading.mode, clock: loading.clock, instances, ..Default::default() })
        .or_outside()
}

/// A plugin's component, built first when it has source.
pub(crate) fn component(origin: &Origin, context: &mut Context) -> Result<Component, Error> {
    match origin {
        Origin::ReadyMade(name) => Ok(Component { wasm: ready_made(name)?, ..Component::default() }),
        Origin::Wasm(path) => Ok(Component { wasm: read(path)?, ..Component::default() }),
        Origin::Script(path) => Component::of_script(toolchain::script(path).or_plugin()?),
        Origin::Folder(folder) => {
            let built = build(folder, context)?;
            let component = match &built.made {
                Made::Component(file) => {
                    let wasm = read(file)?;
                    keeps_the_contract(folder, &wasm)?;
                    Component { wasm, ..Component::default() }
                }
                Made::Script(script) => {
                    let component = Component::of_script(script.clone())?;
                    let files = bytecode::add(component.files, &component.wasm, &folder_name(folder), context)?;
                    Component { files, ..component }
                }
            };
            Ok(Component { built: Some(built), ..component })
        }
    }
}

fn ready_made(name: &str) -> Result<Bytes, Error> {
    ready_made::wasm(name).ok_or_else(|| Error::usage(format!("there is no ready-made plugin `{name}`")))
}

/// The components of steps, by plugin: what several steps use is built once.
#[derive(Default)]
pub(crate) struct Components {
    by_plugin: HashMap<String, Component>,
    /// What steps run that were asked for, by their names.
    by_step: HashMap<String, StepParts>,
}

impl Component {
    fn of_script(script: Script) -> Result<Component, Error> {
        let runtime = if script.language == Language::Python { Step::PYTHON } else { Step::JAVASCRIPT };
        Ok(Component { wasm: ready_made(runtime)?, runtime: Some(runtime), files: script.files, built: None })
    }

    /// What a step runs that has this component.
    pub(crate) fn parts(&self, step: &Step, folder: &Path) -> Result<StepParts, Error> {
        let assets = lambda::assets::read(step, folder, &self.files).or_usage()?;
        Ok(StepParts { wasm: self.wasm.clone(), assets })
    }
}

impl Components {
    /// What a step runs, from where its plugin and its files are.
    pub(crate) fn of(&mut self, step: &Step, project: &Project, context: &mut Context) -> Result<StepParts, Error> {
        if let Some(parts) = self.by_step.get(&step.name) {
            return Ok(parts.clone());
        }
        if !self.by_plugin.contains_key(&step.plugin) {
            self.by_plugin.insert(step.plugin.clone(), component(&project.origin(step)?, context)?);
        }
        let parts = self.by_plugin[&step.plugin].parts(step, &project.folder)?;
        self.by_step.insert(step.name.clone(), parts.clone());
        Ok(parts)
    }
}

/// Builds a plugin, and says so where no terminal shows it, unless there is nothing to build; the compiler's warnings
/// are shown as they are.
fn build(folder: &Path, context: &mut Context) -> Result<Built, Error> {
    let (name, begun) = (folder_name(folder), Instant::now());
    let doing = format!("building {name}");
    let progress = context.ui.progress(&doing, "");
    let is_told = !toolchain::runs_as_it_is(folder);
    if is_told {
        progress.begin(&doing);
    }
    let options = Options { messages: Messages::Keep, seal: compiled::seal(), ..Options::default() };
    let built = toolchain::build(folder, &options).with_context(|| format!("build {name}")).or_plugin()?;
    let time = text::time(begun.elapsed());
    match built.changed {
        true => progress.finish(&format!("built {name} in {time}")),
        false if is_told => progress.finish(&format!("{name} is as it was ({time})")),
        false => drop(progress),
    }
    if !built.warnings.is_empty() {
        context.ui.note(built.warnings.trim_end())?;
    }
    Ok(built)
}

/// What was built, looked at before it is compiled: compilers also make components that are no plugins.
fn keeps_the_contract(folder: &Path, wasm: &[u8]) -> Result<(), Error> {
    match toolchain::inspect(wasm).or_plugin()?.contract {
        Contract::Kept { .. } => Ok(()),
        Contract::Broken(reasons) => {
            let told = format!("{} was built and is not a plugin: {}", folder_name(folder), reasons.join("; "));
            Err(Error::Plugin(anyhow!(told)))
        }
    }
}

fn read(path: &Path) -> Result<Bytes, Error> {
    let reading = || format!("read the plugin {}", path.display());
    let bytes = std::fs::metadata(path).with_context(reading).or_plugin()?.len();
    if bytes > toolchain::COMPONENT_BYTES_MAX {
        return Err(BuildError::TooLarge { bytes }).with_context(reading).or_plugin();
    }
    Ok(std::fs::read(path).with_context(reading).or_plugin()?.into())
}

/// A path without a needless `./`, for people.
pub(crate) fn tidy(path: &Path) -> std::path::Display<'_> {
    path.strip_prefix(".").unwrap_or(path).display()
}

/// A folder's path from here, or as it was typed; a word for this folder.
pub(crate) fn folder_name(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    match path.as_os_str().to_str() {
        Some("" | ".") => "this folder".to_owned(),
        _ => tidy(path).to_string(),
    }
}

/// A step's plugin for people: the last part of a long path.
pub(crate) fn shown(step: &Step) -> String {
    let path = Path::new(&step.plugin);
    let short =
        if path.is_absolute() { path.file_name().map(|name| name.to_string_lossy().into_owned()) } else { None };
    text::one_line(&short.unwrap_or_else(|| step.plugin.clone()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_script_may_have_as_many_modules_as_a_step_has_files() {
        assert_eq!(toolchain::MODULES_MAX, pipeline::ASSETS_MAX);
    }
}
