;; WASI preview 1, answered inside the component, so that the component imports none of it.
;;
;; For guests whose compiler or runtime insists on preview 1 (Go, C with wasi-libc, Rust for wasm32-wasip1) and that need
;; nothing from it. There are no arguments, no environment and no files; what is written is discarded; the clock and the
;; random source never move, so the same event gives the same answer twice; leaving the program traps.
;;
;; The encoder keeps only the functions that the guest imports. The numbers are preview 1's: 8 is EBADF, 52 is ENOSYS.
(module
  (import "env" "memory" (memory 0))
  (func $pair (param $a i32) (param $b i32) (result i32)
    (i32.store (local.get $a) (i32.const 0)) (i32.store (local.get $b) (i32.const 0)) (i32.const 0))
  (func (export "args_sizes_get") (param i32 i32) (result i32) (call $pair (local.get 0) (local.get 1)))
  (func (export "environ_sizes_get") (param i32 i32) (result i32) (call $pair (local.get 0) (local.get 1)))
  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "clock_res_get") (param i32 i32) (result i32) (i64.store (local.get 1) (i64.const 1)) (i32.const 0))
  (func (export "clock_time_get") (param i32 i64 i32) (result i32)
    (i64.store (local.get 2) (i64.const 1000000000)) (i32.const 0))
  (func (export "random_get") (param $p i32) (param $n i32) (result i32)
    (memory.fill (local.get $p) (i32.const 42) (local.get $n)) (i32.const 0))
  (func (export "fd_write") (param $fd i32) (param $v i32) (param $n i32) (param $ret i32) (result i32)
    (local $sum i32)
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $n)))
      (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $v))))
      (local.set $v (i32.add (local.get $v) (i32.const 8)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br $next)))
    (i32.store (local.get $ret) (local.get $sum)) (i32.const 0))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (i32.store (local.get 3) (i32.const 0)) (i32.const 0))
  (func (export "fd_close") (param i32) (result i32) (i32.const 8))
  (func (export "fd_sync") (param i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_tell") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (i32.const 52))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 52))
  (func (export "poll_oneoff") (param i32 i32 i32 i32) (result i32) (i32.const 52))
  ;; Called by the Go bindings around a garbage collection; the clock here never moves anyway.
  (func (export "adapter_monotonic_clock_set_paused") (param i32))
  (func (export "sched_yield") (result i32) (i32.const 0))
  (func (export "proc_exit") (param i32) unreachable))
