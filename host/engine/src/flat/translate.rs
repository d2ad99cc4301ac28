//! Takes a component apart, by wasmtime's own translator: what is nested becomes a list, and all of it is validated.
//!
//! What one instance takes of the pool is bounded here as wasmtime bounds it for components. A component that takes
//! more is left to wasmtime, which refuses it by name.

use super::contract::{self, INIT, TRANSFORM};
use super::host::DROP_EVENT;
use super::plan::{Export, Function, Item, Part, Plan};
use super::spell;
use crate::bindings::{EVENTS, PLUGIN};
use crate::code::is_offered;
use crate::engine::{CORE_INSTANCES_MAX, INSTANCE_BYTES_MAX, MEMORIES_MAX, TABLES_MAX};
use wasmtime_environ::component::{
    self as environ, CanonicalOptionsDataModel, ComponentTranslation, ComponentTypes, ComponentTypesBuilder, CoreDef,
    ExportItem, GlobalInitializer, InstantiateModule, LinearMemoryOptions, LoweredIndex, OptionsIndex,
    RuntimeImportIndex, StaticModuleIndex, StringEncoding, Trampoline, TrampolineIndex, Translator, TypeFuncIndex,
    TypeResourceTable, TypeResourceTableIndex,
};
use wasmtime_environ::{
    EntityIndex, HostPtr, ModuleTranslation, PrimaryMap, ScopeVec, Tunables, VMOffsets, wasmparser,
};

type Modules<'a> = PrimaryMap<StaticModuleIndex, ModuleTranslation<'a>>;

/// A component that was taken apart.
pub(crate) struct Parts {
    pub(crate) plan: Plan,
    /// Its core modules, not compiled.
    pub(crate) modules: Vec<Vec<u8>>,
}

/// A component's plan, and its core modules. None when it is put together in a way that plans do not know.
///
/// # Errors
/// It is not valid.
pub(crate) fn translate(component: &[u8]) -> Result<Option<Parts>, String> {
    let scope = ScopeVec::new();
    let tunables = Tunables::default_host();
    let mut validator = wasmparser::Validator::new();
    let mut types = ComponentTypesBuilder::new(&validator);
    let translator = Translator::new(&tunables, &mut validator, &mut types, &scope);
    let (translation, modules) = translator.translate(component).map_err(|error| format!("{error:#}"))?;
    let (types, _) = types.finish(&translation.component);
    let view = View { translation: &translation, types: &types, modules: &modules };
    let bytes = || modules.values().map(|module| module.wasm.to_vec()).collect();
    Ok(view.plan().map(|plan| Parts { plan, modules: bytes() }))
}

/// What the translator leaves behind.
struct View<'a> {
    translation: &'a ComponentTranslation,
    types: &'a ComponentTypes,
    modules: &'a Modules<'a>,
}

/// What was met so far, in the translator's numbering.
#[derive(Default)]
struct Met<'a> {
    parts: Vec<Part>,
    /// The module of each part.
    modules: Vec<&'a ModuleTranslation<'a>>,
    memories: Vec<Export>,
    reallocs: Vec<Export>,
    clean_ups: Vec<Export>,
    lowered: Vec<(LoweredIndex, RuntimeImportIndex)>,
}

impl<'a> View<'a> {
    fn plan(&self) -> Option<Plan> {
        let component = &self.translation.component;
        let mut met = Met::default();
        for initializer in &component.initializers {
            match initializer {
                GlobalInitializer::InstantiateModule(InstantiateModule::Static(module, arguments), _) => {
                    let imports = arguments.iter().map(|argument| self.item(argument, &met)).collect::<Option<_>>()?;
                    met.parts.push(Part { module: module.as_u32(), imports });
                    met.modules.push(&self.modules[*module]);
                }
                GlobalInitializer::LowerImport { index, import } => met.lowered.push((*index, *import)),
                GlobalInitializer::ExtractMemory(memory) => {
                    let export =
                        met.export(memory.export.instance, &memory.export.clone().map_index(EntityIndex::from).item)?;
                    met.memories.push(export);
                }
                GlobalInitializer::ExtractRealloc(realloc) => met.reallocs.push(met.exported(&realloc.def)?),
                GlobalInitializer::ExtractPostReturn(clean_up) => met.clean_ups.push(met.exported(&clean_up.def)?),
                GlobalInitializer::InstantiateModule(InstantiateModule::Import(..), _)
                | GlobalInitializer::ExtractCallback(_)
                | GlobalInitializer::ExtractTable(_)
                | GlobalInitializer::Resource(_) => return None,
            }
        }
        if !met.fits_pool() {
            return None;
        }
        let (init, transform) = (self.lifted(INIT, &met)?, self.lifted(TRANSFORM, &met)?);
        // One memory: an address means the same in every call.
        let ([memory], [realloc]) = (met.memories.as_slice(), met.reallocs.as_slice()) else { return None };
        let imports: Vec<String> = component.import_types.values().map(|(name, _)| name.clone()).collect();
        // What is imported and never called is refused all the same, by name.
        if !imports.iter().all(|name| is_offered(name)) {
            return None;
        }
        Some(Plan { memory: memory.clone(), realloc: realloc.clone(), init, transform, imports, parts: met.parts })
    }

    /// What a module's import is given.
    fn item(&self, given: &CoreDef, met: &Met<'_>) -> Option<Item> {
        match given {
            CoreDef::Export(_) => met.exported(given).map(Item::Export),
            CoreDef::Trampoline(trampoline) => self.host(*trampoline, met).map(Item::Host),
            CoreDef::InstanceFlags(_) | CoreDef::UnsafeIntrinsic(_) | CoreDef::TaskMayBlock => None,
        }
    }

    /// The function of the host behind a trampoline, if it is the contract's and of the contract's type.
    fn host(&self, trampoline: TrampolineIndex, met: &Met<'_>) -> Option<String> {
        match &self.translation.trampolines[trampoline] {
            Trampoline::LowerImport { index, lower_ty, options } => {
                let (_, import) = met.lowered.iter().find(|(lowered, _)| lowered == index)?;
                let (interface, name) = self.import(*import)?;
                let known = contract::import(interface, name)?;
                (self.fits(*options) && self.spelled(*lower_ty)? == known.2).then(|| contract::in_plan(known))
            }
            Trampoline::ResourceDrop { ty, .. } => self.is_event(*ty).then(|| DROP_EVENT.to_owned()),
            _ => None,
        }
    }

    /// The interface and the name of an imported function or resource.
    fn import(&self, import: RuntimeImportIndex) -> Option<(&'a str, &'a str)> {
        let component = &self.translation.component;
        let (interface, path) = &component.imports[import];
        let [name] = path.as_slice() else { return None };
        Some((&component.import_types[*interface].0, name))
    }

    fn is_event(&self, table: TypeResourceTableIndex) -> bool {
        let TypeResourceTable::Concrete { ty, .. } = &self.types[table] else { return false };
        let imported = self.translation.component.imported_resources.get(*ty);
        imported.and_then(|import| self.import(*import)) == Some((EVENTS, "event"))
    }

    fn spelled(&self, function: TypeFuncIndex) -> Option<String> {
        spell::function(self.types, function, &|table| self.is_event(table))
    }

    /// Whether a call passes its texts as UTF-8 in the one memory, and waits for the answer.
    fn fits(&self, options: OptionsIndex) -> bool {
        let options = &self.translation.component.options[options];
        let CanonicalOptionsDataModel::LinearMemory(LinearMemoryOptions { .. }) = options.data_model else {
            return false;
        };
        options.string_encoding == StringEncoding::Utf8 && !options.async_ && options.callback.is_none()
    }

    /// A function that the plugin exports, if it is of the contract's type.
    fn lifted(&self, (name, signature): (&str, &str), met: &Met<'_>) -> Option<Function> {
        let component = &self.translation.component;
        let export = |names: &'a environ::NameMap<_, (environ::ExportIndex, _)>, name: &str| {
            let found = names.raw_iter().find(|(known, _)| AsRef::<str>::as_ref(*known) == name);
            found.map(|(_, (index, _))| &component.export_items[*index])
        };
        let environ::Export::Instance { exports, .. } = export(&component.exports, PLUGIN)? else { return None };
        let environ::Export::LiftedFunction { ty, func, options } = export(exports, name)? else { return None };
        if !self.fits(*options) || self.spelled(*ty)? != signature {
            return None;
        }
        let clean_up = match component.options[*options].post_return {
            Some(index) => Some(met.clean_ups.get(index.as_u32() as usize)?.clone()),
            None => None,
        };
        Some(Function { call: met.exported(func)?, clean_up })
    }
}

/// Bytes of an instance besides its context: what wasmtime's own type takes, or more.
const INSTANCE_HEAD_BYTES: usize = 512;

impl Met<'_> {
    /// Whether one instance takes no more of the pool than an instance may.
    fn fits_pool(&self) -> bool {
        let sum = |of: fn(&wasmtime_environ::Module) -> usize| -> usize {
            self.modules.iter().map(|module| of(&module.module)).sum()
        };
        let context = |module: &wasmtime_environ::Module| {
            INSTANCE_HEAD_BYTES + VMOffsets::new(HostPtr, module).size_of_vmctx() as usize
        };
        self.parts.len() <= CORE_INSTANCES_MAX as usize
            && sum(|module| module.num_defined_memories()) <= MEMORIES_MAX as usize
            && sum(|module| module.num_defined_tables()) <= TABLES_MAX as usize
            && sum(context) <= INSTANCE_BYTES_MAX
    }

    /// What an earlier part exports.
    fn exported(&self, item: &CoreDef) -> Option<Export> {
        let CoreDef::Export(export) = item else { return None };
        self.export(export.instance, &export.item)
    }

    fn export(&self, part: environ::RuntimeInstanceIndex, item: &ExportItem<EntityIndex>) -> Option<Export> {
        let part = part.as_u32();
        let name = match item {
            ExportItem::Name(name) => name.clone(),
            ExportItem::Index(index) => {
                let module = &self.modules.get(part as usize)?.module;
                let (name, _) = module.exports.iter().find(|(_, exported)| *exported == index)?;
                module.strings[*name].to_owned()
            }
        };
        Some(Export { part, name })
    }
}
