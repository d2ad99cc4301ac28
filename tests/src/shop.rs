//! A team's store of releases, and functions that follow its channel.

use bytes::Bytes;
use engine::Engine;
use lambda::trial::TrialRecords;
use lambda::{Answer, Clock, Firehose, Follower, Host, Loaded, Output, Sending, Settings, StartContext, World, now_ms};
use pipeline::{Assets, Pipeline, Plugin};
use registry::testing::{moving, pipeline, publisher, publishing, trusting};
use registry::{
    Action, Blob, Digest, Draft, DraftCompiled, HostReport, Manifest, Options, Registry, ReleaseId, SigningKey, Store,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The record that releases are tried on.
pub const RECORD: &[u8] = br#"{"level":"INFO","email":"a@b.co","items":[{"sku":1},{"sku":2}]}"#;

/// Keeps every document.
#[derive(Default)]
pub struct Keeping(pub Mutex<Vec<Bytes>>);

impl Firehose for Keeping {
    fn put_record_batch<'a>(&'a self, _stream: &'a str, documents: Vec<Bytes>) -> Sending<'a> {
        let answer: Answer = documents.iter().map(|_| Ok(())).collect();
        self.0.lock().expect("no test panics here").extend(documents);
        Box::pin(async move { Ok(answer) })
    }
}

/// What a release is made of.
pub struct Recipe {
    /// The steps, as `paddle.toml` has them.
    pub steps: String,
    /// Whether it comes with code compiled for this engine, and with test records that came to what they do.
    pub tried: bool,
}

impl Recipe {
    /// The three ready-made plugins, with a mask of their own.
    pub fn good(mask: &str) -> Recipe {
        let steps = format!(
            "[[step]]\nplugin = \"filter\"\nconfig = {{ drop_if = [{{ field = \"level\", equals = \"DEBUG\" }}] }}\n\
             [[step]]\nplugin = \"redact\"\nconfig = {{ fields = [\"email\"], mask = \"{mask}\" }}\n\
             [[step]]\nplugin = \"split\"\nconfig = {{ path = \"items\" }}\n"
        );
        Recipe { steps, tried: true }
    }
}

/// A store, and a function that follows its channel.
pub struct Shop {
    pub url: String,
    aws: BTreeMap<String, String>,
    pub registry: Registry,
    pub key: SigningKey,
    engine: Engine,
    compiled: Mutex<BTreeMap<String, Compiled>>,
}

/// A `paddle.toml`.
fn config(recipe: &Recipe) -> String {
    let steps = &recipe.steps;
    format!("[pipeline]\nname = \"clickstream\"\n[document]\nrelease_field = \"release\"\n{steps}")
}

/// A plugin's component and what was made of it.
#[derive(Clone)]
struct Compiled {
    wasm: Bytes,
    artifact: Bytes,
    code: engine::Code,
}

impl Shop {
    pub fn new(url: String, aws: BTreeMap<String, String>) -> Shop {
        let options = Options { settings: aws.clone(), create_folder: true, ..Options::default() };
        let key = publisher(1);
        let store = Store::open(&url, &options).expect("a store");
        let registry = Registry::new(store, pipeline(), trusting(&[&key]));
        let engine =
            Engine::new(&engine::Settings { instances: 64, ..engine::Settings::default() }).expect("an engine");
        Shop { url, aws, registry, key, engine, compiled: Mutex::default() }
    }

    /// Publishes a good release and puts it on the channel.
    pub async fn publish(&self, mask: &str) -> ReleaseId {
        let id = self.shelve(&Recipe::good(mask), mask).await;
        self.promote(id).await;
        id
    }

    /// Publishes a release without moving the channel. `why` makes it another one than any other.
    pub async fn shelve(&self, recipe: &Recipe, why: &str) -> ReleaseId {
        let config = config(recipe);
        let settings = Pipeline::parse(&config).expect("a pipeline");
        let (mut plugins, mut blobs, mut artifacts) = (Vec::new(), Vec::new(), BTreeMap::new());
        for step in &settings.steps {
            let wasm = Bytes::from(std::fs::read(crate::guests::file(&step.plugin)).expect("it was built"));
            plugins.push(registry::Plugin {
                step: step.name.clone(),
                plugin: step.plugin.clone(),
                wasm: Blob::of(&wasm),
                imports: Vec::new(),
                observed: None,
                fuel_per_event: None,
                load_us: None,
            });
            blobs.push(wasm);
        }
        let mut test_records = None;
        if recipe.tried {
            let compiled: Vec<Compiled> = settings.steps.iter().map(|step| self.compiled(&step.plugin)).collect();
            let records = self.records(&settings, &compiled);
            artifacts.extend(compiled.into_iter().map(|made| (Digest::of(&made.wasm), made.artifact)));
            test_records = Some(Blob::of(&records));
            blobs.push(records);
        }
        let manifest = Manifest {
            pipeline: pipeline(),
            config,
            plugins,
            assets: Vec::new(),
            test_records,
            at_ms: now_ms(),
            by: "ann".into(),
            why: why.into(),
            paddle: "0.1.0".into(),
        };
        let mut draft = Draft::new(manifest, blobs).expect("a draft");
        if recipe.tried {
            let engine = self.engine.fingerprint().parse().expect("a digest");
            let compiled = DraftCompiled { engine, artifacts, at_ms: now_ms(), by: "ann".into() };
            draft = draft.with_compiled(compiled).expect("a draft");
        }
        self.registry.publish(&draft, publishing(&self.key, now_ms())).await.expect("published")
    }

    /// Writes a package: the pipeline, its plugins, and what was compiled of them for this engine.
    pub fn package(&self, recipe: &Recipe, folder: &Path) {
        let write = |name: String, bytes: &[u8]| std::fs::write(folder.join(name), bytes).expect("written");
        std::fs::create_dir_all(folder.join("plugins")).expect("a folder");
        let config = config(recipe);
        for step in &Pipeline::parse(&config).expect("a pipeline").steps {
            let compiled = self.compiled(&step.plugin);
            let digest = Digest::of(&compiled.wasm).to_string();
            let artifact = lambda::artifact_name(&digest, &self.engine.fingerprint());
            write(format!("plugins/{}.wasm", step.plugin), &compiled.wasm);
            write(format!("plugins/{artifact}"), &compiled.artifact);
        }
        write("paddle.toml".to_owned(), config.as_bytes());
    }

    /// A plugin, compiled once.
    fn compiled(&self, plugin: &str) -> Compiled {
        let mut compiled = self.compiled.lock().expect("no test panics while it compiles");
        let compile = || {
            let wasm = Bytes::from(std::fs::read(crate::guests::file(plugin)).expect("it was built"));
            let artifact = Bytes::from(self.engine.precompile(&wasm).expect("it compiles"));
            let code = self.engine.load_precompiled(&artifact).expect("it was just made");
            Compiled { wasm, artifact, code }
        };
        compiled.entry(plugin.to_owned()).or_insert_with(compile).clone()
    }

    /// Test records that came to what they do.
    fn records(&self, settings: &Pipeline, compiled: &[Compiled]) -> Bytes {
        let load = |(step, made): (&pipeline::settings::Step, &Compiled)| {
            self.engine.load(&made.code, step, &crate::filled(step), &Assets::default()).expect("it loads")
        };
        let steps: Vec<engine::Loaded> = settings.steps.iter().zip(compiled).map(load).collect();
        let make = move || Ok(steps.iter().map(engine::Loaded::plugin).collect::<Vec<Box<dyn Plugin>>>());
        let pipeline = Arc::new(settings.clone());
        let loaded = Loaded { pipeline, plugins: Box::new(make), digests: Vec::new(), release: None };
        let case = ("one".to_owned(), vec![Bytes::from_static(RECORD)]);
        TrialRecords::record(&loaded, &[case]).expect("they run").to_bytes()
    }

    /// Puts a release on the channel.
    pub async fn promote(&self, id: ReleaseId) {
        self.registry.promote(id, Action::Promote, &moving(now_ms()), Some(&self.key)).await.expect("promoted");
    }

    /// The function's settings for this store.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let trusted = self.key.public().to_string();
        let own = [
            ("PADDLE_STORE", self.url.as_str()),
            ("PADDLE_PIPELINE", "clickstream"),
            ("PADDLE_TRUSTED_KEYS", &trusted),
            ("PADDLE_POLL_SECONDS", "0.2"),
            ("PADDLE_PARTIAL_FAILURES", "reported"),
            ("PADDLE_WORKERS", "1"),
        ];
        own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// A function that follows the channel.
    pub async fn start(&self, cache: &Path, firehose: &Arc<Keeping>) -> (Follower, Arc<Host>) {
        let mut variables = self.aws.clone();
        variables.extend(self.variables());
        follow(&variables, cache, firehose).await
    }

    /// What the one host says.
    pub async fn said(&self) -> HostReport {
        let hosts = self.registry.hosts(now_ms()).await.expect("listed");
        hosts.live.into_iter().next().expect("a host has spoken").1
    }
}

/// A function with these variables that follows a channel, with an engine and a cache of its own.
pub async fn follow(
    variables: &BTreeMap<String, String>,
    cache: &Path,
    firehose: &Arc<Keeping>,
) -> (Follower, Arc<Host>) {
    let mut settings = Settings::read(variables).expect("settings");
    let mut store = settings.store.take().expect("a store");
    store.cache = Some(cache.to_owned());
    let instances = Follower::instances(settings.workers);
    let engine = Engine::new(&engine::Settings { instances, ..engine::Settings::default() }).expect("an engine");
    let clock = Clock::system();
    let begun = (clock.now)();
    let context = StartContext { engine, clock: clock.clone(), output: Output::none(), seed: 1, begun };
    let (follower, loaded) = Follower::start(&settings, store, context).await.expect("it starts");
    let dead_letters = lambda::open_dead_letters(&format!("file://{}/dead", cache.display())).expect("a folder");
    let firehose = Arc::clone(firehose) as Arc<dyn Firehose>;
    let world = World { firehose, dead_letters, clock, output: Output::none(), seed: 1, journal: None };
    (follower, Arc::new(Host::new(settings, loaded, world).expect("a host")))
}
