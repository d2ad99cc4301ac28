//! What one instance may take of the pool: at each bound a component runs, and above it is refused by name, the same
//! both ways.

use super::both::{Both, component, run, step_of};
use crate::engine::{CORE_INSTANCES_MAX, INSTANCE_BYTES_MAX, MEMORIES_MAX, TABLES_MAX};
use crate::{Engine, LoadError};
use wasmtime_environ::wasmparser::{Parser, Payload};

/// A plugin of one core module, which has one memory.
const PLUGIN: &str = r#"(module (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 2048))
  (func (export "paddlewheel:transform/plugin@0.1.0#init") (param i32 i32) (result i32) (i32.const 512))
  (func (export "paddlewheel:transform/plugin@0.1.0#transform") (param i32) (result i32)
    (i32.store (i32.const 1024) (local.get 0)) (i32.store (i32.const 772) (i32.const 1024))
    (i32.store (i32.const 776) (i32.const 1)) (i32.const 768)))"#;

/// Numbers as WebAssembly writes them.
fn leb(mut number: usize, to: &mut Vec<u8>) {
    loop {
        let low = (number & 0x7F) as u8;
        number >>= 7;
        to.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}

fn section(id: u8, content: &[u8], to: &mut Vec<u8>) {
    to.push(id);
    leb(content.len(), to);
    to.extend_from_slice(content);
}

/// The plugin with one core module more, of which there are so many instances.
fn plugin_with(module: &str, instances: usize) -> Vec<u8> {
    let mut component = component(PLUGIN);
    let mut depth = 0;
    let mut modules = 0;
    for payload in Parser::new(0).parse_all(&component) {
        match payload.expect("wit-component made it") {
            Payload::ModuleSection { .. } => {
                modules += usize::from(depth == 0);
                depth += 1;
            }
            Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    section(1, &wat::parse_str(module).expect("WAT"), &mut component);
    let mut list = Vec::new();
    leb(instances, &mut list);
    for _ in 0..instances {
        list.push(0);
        leb(modules, &mut list);
        list.push(0);
    }
    section(2, &list, &mut component);
    component
}

/// How a component fares: whether it runs flat, and why it does not run if it does not.
fn verdict(engine: &Engine, component: &[u8]) -> Result<bool, String> {
    let code = engine.compile(component).map_err(|error| match error {
        LoadError::NotAComponent(reason) => reason,
        other => panic!("{other}"),
    })?;
    // What is compiled starts: nothing else is left to refuse it.
    let config = super::both::config("{}");
    engine
        .load(&code, &step_of("limits = { memory_mib = 128 }"), &config, &Default::default())
        .map_err(|error| error.to_string())?;
    Ok(code.is_flat())
}

#[test]
fn what_takes_too_much_of_the_pool_is_refused_by_name() {
    let both = Both::counting_fuel();
    let (own_instances, own_memories) = (1, 1);
    // Each at the bound, and one above it.
    for above in [0, 1] {
        for (component, named) in [
            (
                plugin_with("(module)", (CORE_INSTANCES_MAX - own_instances + above) as usize),
                "49 core module instances",
            ),
            (
                plugin_with("(module (memory 0))", (MEMORIES_MAX - own_memories + above) as usize),
                "5 Wasm linear memories",
            ),
            (plugin_with("(module (table 0 funcref))", (TABLES_MAX + above) as usize), "17 tables"),
        ] {
            let (flat, whole) = (verdict(&both.flat, &component), verdict(&both.whole, &component));
            match above {
                0 => assert_eq!((flat, whole), (Ok(true), Ok(false)), "at the bound: {named}"),
                _ => {
                    let reason = flat.as_ref().expect_err("it is above the bound");
                    assert!(reason.contains(named), "{named}: {reason}");
                    assert_eq!(flat, whole);
                }
            }
        }
    }
    // A module of its own may have one of each.
    for (module, named) in
        [("(module (memory 0) (memory 0))", "memories"), ("(module (table 0 funcref) (table 0 funcref))", "tables")]
    {
        let component = plugin_with(module, 1);
        let reason = verdict(&both.flat, &component).expect_err("it has two");
        assert!(reason.contains(named), "{reason}");
        assert_eq!(verdict(&both.whole, &component), Err(reason));
    }
}

#[test]
fn what_takes_too_much_context_is_refused_by_name() {
    let both = Both::counting_fuel();
    let globals = |count: usize| format!("(module {})", "(global (mut i64) (i64.const 0))".repeat(count));
    // A global takes 16 bytes. Four modules of nearly a fourth each, so that no single one is beyond the bound.
    let bound = INSTANCE_BYTES_MAX / 16 / 4;
    for (count, fits) in [(bound - 1_000, Some(true)), (bound - 60, None), (bound - 20, None), (bound, Some(false))] {
        let component = plugin_with(&globals(count), 4);
        let (flat, whole) = (verdict(&both.flat, &component), verdict(&both.whole, &component));
        // Near the bound a component that is not run flat runs as wasmtime runs components, or is refused in its words.
        assert_eq!(flat.is_ok(), whole.is_ok(), "{count}: {flat:?} {whole:?}");
        assert_eq!(flat.as_ref().err(), whole.as_ref().err());
        match fits {
            Some(true) => assert_eq!(flat, Ok(true)),
            Some(false) => assert!(flat.expect_err("it is above the bound").contains("instance size"), "{count}"),
            None => {}
        }
    }
}

#[test]
fn what_starts_with_too_much_memory_does_not_start_either_way() {
    let both = Both::counting_fuel();
    let step = step_of("limits = { memory_mib = 1 }");
    for (pages, starts) in [(14, true), (15, true), (16, false)] {
        let component = plugin_with(&format!("(module (memory {pages}))"), 1);
        for engine in [&both.flat, &both.whole] {
            let ends = run(engine, &component, &step, &[b"{}".to_vec()]);
            assert_eq!(ends[0].starts_with("1 outputs"), starts, "{pages}: {ends:?}");
        }
    }
}
