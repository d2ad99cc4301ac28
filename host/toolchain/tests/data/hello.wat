;; A plugin by hand: it lets every event go and says so on standard output through WASI preview 1. The layout of its exports
;; is the canonical ABI's: a function's result is a pointer to a tag and a value.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (data (i32.const 0) "hello\n")
  ;; Memory for what the host passes in. It is never given back.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16)))))
  ;; 64 holds an ok without a value; 80 holds an ok with an empty list.
  (func (export "paddlewheel:transform/plugin@0.1.0#init") (param i32 i32) (result i32)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (i32.const 6))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))
    (i32.const 64))
  (func (export "paddlewheel:transform/plugin@0.1.0#transform") (param i32) (result i32)
    (i32.const 80)))
