//! What differs between two releases, as far as their manifests tell.

use crate::manifest::{Blob, Manifest, Plugin};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What differs. Empty lists and `None` mean: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// The texts of `paddle.toml`, when they differ.
    pub config: Option<Change<String>>,
    /// Steps, by name, in the newer release's order; those that are gone come last.
    pub steps: Vec<StepDifference>,
    /// Whether the steps that both have stand in another order.
    pub reordered: bool,
    /// Assets that differ.
    pub assets: Vec<AssetDifference>,
    /// The test records, when they differ.
    pub test_records: Option<Change<Option<Blob>>>,
}

/// Two values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    /// In the older release.
    pub from: T,
    /// In the newer one.
    pub to: T,
}

/// What differs about a step's plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepDifference {
    /// The step.
    pub step: String,
    /// The plugin in the older release; `None` for a new step.
    pub from: Option<Plugin>,
    /// In the newer one; `None` for a step that is gone.
    pub to: Option<Plugin>,
    /// Imports that the newer one has and the older one had not.
    pub imports_added: BTreeSet<String>,
    /// And the reverse.
    pub imports_removed: BTreeSet<String>,
    /// Fields that only the newer one was seen reading.
    pub reads_added: BTreeSet<String>,
    /// And the reverse.
    pub reads_removed: BTreeSet<String>,
    /// Fields that only the newer one was seen writing.
    pub writes_added: BTreeSet<String>,
    /// And the reverse.
    pub writes_removed: BTreeSet<String>,
}

/// What differs about an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssetDifference {
    /// The step.
    pub step: String,
    /// The file's name.
    pub name: String,
    /// In the older release.
    pub from: Option<Blob>,
    /// In the newer one.
    pub to: Option<Blob>,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Difference::default()
    }
}

/// What differs from one release to a newer one. Who made them, when and why is not compared, nor is what was measured.
pub fn diff(from: &Manifest, to: &Manifest) -> Difference {
    Difference {
        config: change(&from.config, &to.config),
        steps: steps(from, to),
        reordered: reordered(from, to),
        assets: assets(from, to),
        test_records: change(&from.test_records, &to.test_records),
    }
}

fn change<T: Clone + PartialEq>(from: &T, to: &T) -> Option<Change<T>> {
    (from != to).then(|| Change { from: from.clone(), to: to.clone() })
}

fn steps(from: &Manifest, to: &Manifest) -> Vec<StepDifference> {
    let find = |manifest: &Manifest, step: &str| manifest.plugins.iter().find(|plugin| plugin.step == step).cloned();
    let kept = to.plugins.iter().map(|plugin| plugin.step.as_str());
    let gone = from.plugins.iter().map(|plugin| plugin.step.as_str()).filter(|step| find(to, step).is_none());
    let differs = |step: &str| step_difference(step, find(from, step), find(to, step));
    kept.chain(gone).filter_map(differs).collect()
}

fn step_difference(step: &str, from: Option<Plugin>, to: Option<Plugin>) -> Option<StepDifference> {
    let set = |plugin: &Option<Plugin>, field: fn(&Plugin) -> BTreeSet<String>| {
        plugin.as_ref().map(field).unwrap_or_default()
    };
    let imports = |plugin: &Plugin| plugin.imports.iter().cloned().collect();
    let reads = |plugin: &Plugin| plugin.observed.as_ref().map(|seen| seen.reads.clone()).unwrap_or_default();
    let writes = |plugin: &Plugin| plugin.observed.as_ref().map(|seen| seen.writes.clone()).unwrap_or_default();
    let added = |field: fn(&Plugin) -> BTreeSet<String>| &set(&to, field) - &set(&from, field);
    let removed = |field: fn(&Plugin) -> BTreeSet<String>| &set(&from, field) - &set(&to, field);
    let difference = StepDifference {
        step: step.to_owned(),
        imports_added: added(imports),
        imports_removed: removed(imports),
        reads_added: added(reads),
        reads_removed: removed(reads),
        writes_added: added(writes),
        writes_removed: removed(writes),
        from: None,
        to: None,
    };
    let same_code = match (&from, &to) {
        (Some(from), Some(to)) => from.wasm == to.wasm && from.plugin == to.plugin,
        _ => false,
    };
    let nothing = StepDifference { step: step.to_owned(), ..StepDifference::none() };
    (!same_code || difference != nothing).then_some(StepDifference { from, to, ..difference })
}

impl StepDifference {
    fn none() -> StepDifference {
        StepDifference {
            step: String::new(),
            from: None,
            to: None,
            imports_added: BTreeSet::new(),
            imports_removed: BTreeSet::new(),
            reads_added: BTreeSet::new(),
            reads_removed: BTreeSet::new(),
            writes_added: BTreeSet::new(),
            writes_removed: BTreeSet::new(),
        }
    }
}

fn reordered(from: &Manifest, to: &Manifest) -> bool {
    fn common<'a>(one: &'a Manifest, other: &'a Manifest) -> impl Iterator<Item = &'a str> {
        let has = |step: &str| other.plugins.iter().any(|plugin| plugin.step == step);
        one.plugins.iter().map(|plugin| plugin.step.as_str()).filter(move |step| has(step))
    }
    !common(from, to).eq(common(to, from))
}

fn assets(from: &Manifest, to: &Manifest) -> Vec<AssetDifference> {
    let by_name = |manifest: &Manifest| -> BTreeMap<(String, String), Blob> {
        let entry = |asset: &crate::Asset| ((asset.step.clone(), asset.name.clone()), asset.blob);
        manifest.assets.iter().map(entry).collect()
    };
    let (from, to) = (by_name(from), by_name(to));
    let names: BTreeSet<_> = from.keys().chain(to.keys()).collect();
    let differs = |key: &(String, String)| {
        let (from, to) = (from.get(key).copied(), to.get(key).copied());
        let (step, name) = key.clone();
        (from != to).then_some(AssetDifference { step, name, from, to })
    };
    names.into_iter().filter_map(differs).collect()
}
