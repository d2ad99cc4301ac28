# A habit, not logic: every target is a few lines.
CARGO ?= cargo
TARGET_DIR = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
PADDLE = $(TARGET_DIR)/debug/paddle

.PHONY: demo demo-swap test javascript python javascript-programs bench languages stores lambda install dist build target tools fuzz help

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: build ## the whole system on this machine: Kinesis records through plugins to Firehose
	$(PADDLE) dev plugins/example --once --web-events 10000 --out $(TARGET_DIR)/demo

demo-swap: build ## releases while records flow: a live swap, two refused, one that the function returns from by itself
	$(TARGET_DIR)/debug/demo-swap

test: tools build ## everything that is checked, as CI does
	$(CARGO) fmt --all --check
	cd plugins && $(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	cd plugins && CARGO_TARGET_DIR=$(TARGET_DIR)/plugins $(CARGO) test --workspace
	$(PADDLE) test plugins/example
	$(CARGO) test --workspace
	@sh tests/tools/libraries.sh

# The same selection of packages everywhere, so that cargo picks the same features and builds each dependency once.
build: target
	$(CARGO) build --workspace --bins --tests

# What is measured besides the bench program itself lies in $(BENCH): plain handlers, twice, and the function, twice.
BENCH = $(TARGET_DIR)/bench
NATIVE = $(CARGO) build --locked --release --manifest-path tests/peers/native/Cargo.toml --target-dir $(BENCH)/peers
bench: target ## what the host costs beside plain native code, in one run; also in target/bench.json
	@echo "1 of 3: plain handlers, in their own profile"
	$(NATIVE) --features mi && cp $(BENCH)/peers/release/native $(BENCH)/native-mimalloc
	$(NATIVE)
	@echo "2 of 3: the function with the compiler and without, for their sizes"
	$(CARGO) build --release --package lambda --bin bootstrap && cp $(TARGET_DIR)/release/bootstrap $(BENCH)/bootstrap
	$(MAKE) --no-print-directory lambda
	cp $(TARGET_DIR)/release/bootstrap $(BENCH)/bootstrap-without-compiler
	@sh tests/tools/javascript.sh
	@sh tests/tools/moto.sh
	@echo "3 of 3: the bench"
	$(CARGO) bench --package tests --bench bench

languages: target tools python ## what each language costs and what it passes: a table, in docs/languages.md too, and target/languages.json
	$(NATIVE)
	$(CARGO) bench --package tests --bench languages

# Three programs: neither client of a store, ours, AWS's own.
STORES = $(CARGO) build --locked --release --manifest-path tests/peers/stores/Cargo.toml --target-dir $(BENCH)/stores
stores: ## what reading a release costs through object_store and through AWS's S3 client: size and time
	@sh tests/tools/moto.sh
	$(STORES) && cp $(BENCH)/stores/release/stores $(BENCH)/stores/neither
	$(STORES) --features object-store && cp $(BENCH)/stores/release/stores $(BENCH)/stores/object_store
	$(STORES) --features aws-sdk-s3 && cp $(BENCH)/stores/release/stores $(BENCH)/stores/aws-sdk-s3
	python3 tests/peers/stores/measure.py $(BENCH)/stores

lambda: ## the function's binary, alone: a workspace build would carry the compiler into it
	$(CARGO) build --release --package lambda --bin bootstrap --no-default-features

dist: ## archives of `paddle` for Linux, x86-64 and Arm, that need nothing, in dist/ of the target folder
	sh deploy/dist.sh

install: target ## one self-contained `paddle` on the PATH, ready-made plugins inside
	$(CARGO) install --locked --path host/cli

target: ## the compiler's WebAssembly targets, if they are missing
	@sh tests/tools/rust-targets.sh

tools: ## what the tests need besides Rust, pinned, in .tools/
	@sh tests/tools/opensearch.sh
	@sh tests/tools/moto.sh
	@sh tests/tools/rie.sh
	@sh tests/tools/python.sh
	@sh tests/tools/esbuild.sh
	@sh tests/tools/c.sh
	@sh tests/tools/clang-19.sh

javascript: ## plugins/javascript/javascript.wasm, from its sources: the same bytes every time
	plugins/javascript/build.sh

python: ## python.wasm, the runtime of Python scripts, from its sources, in python/ of the target folder: the same bytes every time
	plugins/python/build.sh

javascript-programs: build ## 10,000 generated programs in the JavaScript runtime and in Node
	JAVASCRIPT_PROGRAMS=10000 $(CARGO) test --workspace --test it -- javascript::differential

# libFuzzer's instrumentation, as cargo-fuzz sets it.
SANCOV = -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing
FUZZ_SECONDS ?= 60
fuzz: ## a search for calls that cost too much or tell too much; libFuzzer, where a nightly compiler is there; a minute each
	@seed=$$(date +%s); echo "host/document: costs, then secrets, $(FUZZ_SECONDS) s, seed $$seed" && \
	COST_SECONDS=$(FUZZ_SECONDS) COST_SEED=$$seed COST_SHOW=1 $(CARGO) test --release --package document --lib -- --nocapture tests::cost && \
	SECRECY_CASES=$$((50000 * $(FUZZ_SECONDS))) SECRECY_SEED=$$seed $(CARGO) test --release --package document --lib -- tests::secrecy && \
	echo "host/engine: hostile modules both ways" && \
	ABI_CASES=$$((100 * $(FUZZ_SECONDS))) ABI_SEED=$$seed $(CARGO) test --release --package engine --lib -- differential
	@rustup run nightly rustc --version >/dev/null 2>&1 || { echo "no nightly compiler: skipped"; exit 0; }; \
	for crate in document registry; do \
		echo "host/$$crate/fuzz, $(FUZZ_SECONDS) s"; mkdir -p host/$$crate/fuzz/corpus && ( cd host/$$crate/fuzz && \
		RUSTFLAGS="$(SANCOV)" CARGO_TARGET_DIR=$(TARGET_DIR)/fuzz cargo +nightly run --release \
			--target $$(rustc -vV | sed -n 's/^host: //p') -- -max_total_time=$(FUZZ_SECONDS) -max_len=512 -artifact_prefix=corpus/ corpus ) || exit 1; \
	done
