# Adds the targets that guests are compiled for, when the toolchain lacks them. Where rustup cannot, Debian's compiler
# builds the first one's library from source, and the tests that need the second one say that they were skipped.
set -eu
has() { [ -d "$(rustc --print target-libdir --target "$1")" ]; }
plain=wasm32-unknown-unknown
has $plain || rustup target add $plain || {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -q && apt-get install -q -y --no-install-recommends rustc-web rust-web-src
    else
        echo "plugins in Rust cannot be built: run \`rustup target add $plain\`, or install Debian's rustc-web and rust-web-src" >&2
        exit 1
    fi
}
has wasm32-wasip1 || rustup target add wasm32-wasip1 || echo "no wasm32-wasip1: tests of WASI preview 1 will be skipped" >&2
