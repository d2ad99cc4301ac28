//! The types and traits of WASI 0.2, generated from `wasi-wit/`. Nothing here is written by hand.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_imports,
    clippy::all,
    reason = "generated code: the WIT files carry the documentation"
)]

wasmtime::component::bindgen!({
    path: "wasi-wit",
    world: "paddlewheel:wasi/virtual",
    imports: { default: trappable },
});
