#!/bin/sh
# Builds javascript.wasm from quickjs-ng, the SDK for C and src/: the same bytes from the same sources, on any machine.
#
#     build.sh                  plugins/javascript/javascript.wasm
#     build.sh --core FOLDER    core.wasm and world.wit there, for who encodes them
#
# Needs clang-19 and wasi-libc from Debian 12 (installed here where that may be done), and cargo for the sources of quickjs-ng and
# for the encoding.
set -eu
cd "$(dirname "$0")"
WORK=${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}/javascript
if [ "${1:-}" = --core ]; then WORK=$2; fi
PACKAGES="clang-19 lld-19 libclang-rt-19-dev-wasm32 wasi-libc"
if ! command -v clang-19 >/dev/null 2>&1 || [ ! -e /usr/lib/wasm32-wasi/libc.a ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "clang-19 or wasi-libc is missing: run \`sudo apt-get install --no-install-recommends $PACKAGES\`" >&2
        exit 1
    fi
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $PACKAGES >&2
fi
mkdir -p "$WORK"

# The crate's folder holds the sources; nothing of it is compiled by cargo.
MANIFEST=$(cargo metadata --locked --format-version 1 --manifest-path quickjs/Cargo.toml |
    grep -o '"manifest_path":"[^"]*rquickjs-sys-[^"]*"' | cut -d'"' -f4)
QUICKJS=$(dirname "$MANIFEST")/quickjs

FLAGS="--target=wasm32-wasi -std=gnu11 -O3 -flto -DNDEBUG -D_GNU_SOURCE"
OBJECTS=
compile() { # flags of its own, then the source. Paths of this machine do not get into the module.
    object=$(basename "$2" .c).o
    # shellcheck disable=SC2086
    clang-19 $FLAGS -ffile-prefix-map="$QUICKJS"=quickjs -ffile-prefix-map="$WORK"=work \
        -I"$QUICKJS" -I"$WORK" -I../sdk/c -Isrc $1 -c "$2" -o "$WORK/$object"
    OBJECTS="$OBJECTS $object"
}
# How many functions are marked is known: another version of quickjs-ng stops here.
awk -v expected=27 -f weigh.awk "$QUICKJS/quickjs.c" > "$WORK/quickjs_weighed.c"
awk -v expected=4 -f weigh.awk "$QUICKJS/libregexp.c" > "$WORK/libregexp_weighed.c"
compile "-w -include src/weigh.h" "$WORK/libregexp_weighed.c"
for part in libunicode dtoa; do compile -w "$QUICKJS/$part.c"; done
compile -w src/engine.c
for part in answers event globals jobs json modules plugin text; do compile "-Wall -Wextra -Werror" src/$part.c; done
compile "-Wall -Wextra -Werror -Wno-unused-parameter" src/system.c
compile "-Wall -Wextra -Werror" ../sdk/c/paddlewheel.c

# The stack comes first: what goes beyond it is outside the memory, and ends the call.
# shellcheck disable=SC2086
(cd "$WORK" && clang-19 --target=wasm32-wasi -mexec-model=reactor -O3 -flto -s $OBJECTS -lm \
    -Wl,--stack-first -Wl,-z,stack-size=524288 -o core.wasm)
cat ../../wit/transform.wit world.wit > "$WORK/world.wit"
if [ "${1:-}" = --core ]; then exit 0; fi
cargo run --quiet --locked --manifest-path ../../Cargo.toml --package toolchain --example componentize -- \
    "$WORK/core.wasm" "$WORK/world.wit" paddlewheel:javascript/runtime@0.1.0 javascript.wasm
sh ../inputs.sh javascript > "$WORK/inputs.sha256" && mv "$WORK/inputs.sha256" inputs.sha256
