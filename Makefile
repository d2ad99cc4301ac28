# A habit, not logic: every target is a few lines.
CARGO ?= cargo
PADDLE = $(CARGO) run --quiet --package cli --bin paddle --

.PHONY: demo test bench lambda install target tools fuzz help

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: target ## the whole system on this machine: Kinesis records through plugins to Firehose
	$(PADDLE) dev plugins/example --once --web-events 10000 --out target/demo

test: target tools ## everything that is checked, as CI does
	$(CARGO) fmt --all --check
	cd plugins && $(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) test --workspace
	cd plugins && CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/plugins $(CARGO) test --workspace
	$(PADDLE) test plugins/example

bench: target ## what the host costs beside plain native code, in one run; also in target/bench.json
	$(CARGO) bench --package tests

lambda: ## the function's binary, alone: a workspace build would carry the compiler into it
	$(CARGO) build --release --package lambda --bin bootstrap --no-default-features

install: target ## one self-contained `paddle` on the PATH, ready-made plugins inside
	$(CARGO) install --locked --path host/cli

target: ## the compiler's WebAssembly target, if it is missing
	@sh tests/tools/rust-targets.sh

tools: ## what the tests need besides Rust, pinned, in .tools/
	@sh tests/tools/opensearch.sh

fuzz: ## a minute of libFuzzer on the document crate, where a nightly compiler is there
	@rustup run nightly rustc --version >/dev/null 2>&1 || { echo "no nightly compiler: skipped"; exit 0; }; \
	cd host/document/fuzz && mkdir -p corpus && \
	RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing" \
	cargo +nightly run --release --target $$(rustc -vV | sed -n 's/^host: //p') -- -max_total_time=$${FUZZ_SECONDS:-60} -max_len=512 corpus
