//! Artifacts that were damaged: they are refused, or run as something that does no harm.

use super::component;
use super::plan::{self, Flat, Plan};
use super::{CONTRACT, MAGIC};
use crate::{Clock, Engine, Mode, Settings};
use pipeline::settings::Pipeline;
use pipeline::{Assets, Filled, Hidden};
use std::sync::Arc;
use wasmtime::Module;
use wit_component::StringEncoding;

fn engine() -> Engine {
    let settings = Settings { mode: Mode::Fuel, clock: Clock::Fixed(1), instances: 2, flat: true };
    Engine::new(&settings).expect("address space for two instances")
}

/// A good artifact, and how many of its bytes are the plan.
fn artifact(engine: &Engine) -> (Vec<u8>, usize) {
    let artifact = engine.precompile(&component(CONTRACT, StringEncoding::UTF8)).expect("compiled");
    let (_, modules) = plan::read(&artifact).expect("it was just written");
    let plan = artifact.len() - modules.iter().map(|module| module.len()).sum::<usize>();
    (artifact, plan)
}

/// The bytes that a plan holds, all of which an artifact must have had.
fn held(plan: &Plan) -> usize {
    let items: usize = plan.parts.iter().map(|part| 1 + part.imports.len()).sum();
    items + plan.imports.iter().map(|name| 1 + name.len()).sum::<usize>()
}

#[test]
fn a_plan_that_is_cut_off_anywhere_is_refused() {
    let (artifact, plan) = artifact(&engine());
    for length in 0..=plan {
        assert!(plan::read(&artifact[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn a_plan_with_any_bit_changed_is_read_or_refused() {
    let (artifact, plan) = artifact(&engine());
    let mut damaged = artifact.clone();
    let (mut read, mut refused) = (0, 0);
    for bit in 0..plan * 8 {
        damaged[bit / 8] ^= 1 << (bit % 8);
        match plan::read(&damaged) {
            Ok((plan, modules)) => {
                read += 1;
                assert!(held(&plan) + modules.len() <= damaged.len(), "bit {bit}: more than there are bytes for");
            }
            Err(_) => refused += 1,
        }
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}

/// Counts that promise more than there is: nothing is made for what does not come.
#[test]
fn counts_without_anything_behind_them_are_refused() {
    for count in [[0xFF, 0xFF, 0xFF, 0xFF, 0x0F].as_slice(), &[0xFF; 9], &[0x80, 0x80, 0x80, 0x80, 0x10]] {
        for good in 0..3 {
            // No parts, a memory's part, and the length of its name come first.
            let artifact = [MAGIC, &vec![0; good], count].concat();
            assert!(plan::read(&artifact).is_err(), "{good} {count:?}");
        }
    }
}

/// Whether a plan that was damaged is loaded and starts does not matter; that it does no harm does.
#[test]
fn a_plan_with_any_bit_changed_starts_or_is_refused() {
    let engine = engine();
    let (artifact, plan) = artifact(&engine);
    let good = engine.load_precompiled(&artifact).expect("made by this engine");
    let crate::code::Form::Flat(flat) = &good.form else { panic!("it runs flat") };
    let modules: Vec<Module> = flat.modules.clone();
    let (_, slices) = plan::read(&artifact).expect("it is as it was written");
    let step = Pipeline::parse("[[step]]\nplugin = \"damaged\"\n").expect("a pipeline").steps.remove(0);
    let config = Filled { json: "{}".into(), hidden: Hidden::default() };
    let mut damaged = artifact.clone();
    let (mut started, mut refused) = (0, 0);
    for bit in (0..plan * 8).step_by(3) {
        damaged[bit / 8] ^= 1 << (bit % 8);
        // Other modules than were written would be machine code that nobody vouches for.
        if let Ok((plan, found)) = plan::read(&damaged)
            && found == slices
        {
            let checked = plan::check_resources(&plan, &modules);
            let form = crate::code::Form::Flat(Arc::new(Flat { plan, modules: modules.clone() }));
            let code = crate::Code { form, imports: good.imports.clone() };
            let loaded = engine.load(&code, &step, &config, &Assets::default());
            assert!(checked.is_ok() || loaded.is_err(), "bit {bit}: what is refused would start");
            match loaded {
                Ok(_) => started += 1,
                Err(_) => refused += 1,
            }
        }
        damaged[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(refused > 100, "{started} started, {refused} refused");
}
