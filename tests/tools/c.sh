# Installs clang with what it needs to compile plugins in C, as root on Debian. Elsewhere the tests that need it say
# that they were skipped.
set -eu
LIBC=/usr/lib/wasm32-wasi/libc.a
if command -v clang >/dev/null 2>&1 && command -v wasm-ld >/dev/null 2>&1 && [ -f $LIBC ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -q && apt-get install -q -y --no-install-recommends clang lld libclang-rt-dev-wasm32 wasi-libc
else
    echo "no clang for WebAssembly: the tests of plugins in C will be skipped" >&2
fi
