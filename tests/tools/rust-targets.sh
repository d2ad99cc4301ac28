# Adds the targets that guests are compiled for, when the toolchain lacks them.
set -eu
for target in wasm32-unknown-unknown wasm32-wasip1; do
    [ -d "$(rustc --print target-libdir --target $target)" ] || rustup target add $target
done
