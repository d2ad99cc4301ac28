# Installs the compiler that plugins/javascript/javascript.wasm is made with, as root on Debian. Elsewhere the test that
# makes it again says that it was skipped.
set -eu
if command -v clang-19 >/dev/null 2>&1 && command -v wasm-ld-19 >/dev/null 2>&1 && [ -f /usr/lib/wasm32-wasi/libc.a ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get update -q && apt-get install -q -y --no-install-recommends clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc
else
    echo "no clang-19 for WebAssembly: the JavaScript runtime will not be made again" >&2
fi
