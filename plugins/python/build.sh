#!/bin/sh
# Builds python.wasm from CPython, the SDK for C, library/ and src/: the same bytes from the same sources, on any machine.
#
#     build.sh                  python.wasm.gz here, of what it makes in python/ of cargo's target folder
#     build.sh --core FOLDER    core.wasm and world.wit there, made anew
#
# Needs clang-19 from Debian 12 (installed here where that may be done), apt for the sources of CPython and zlib and for wasi-libc, a C
# compiler for the machine (CPython makes a Python for itself first), and cargo. Takes four minutes of one processor the first time.
set -eu
cd "$(dirname "$0")"
HERE=$PWD
TARGET=${CARGO_TARGET_DIR:-$(cd ../.. && pwd)/target}
WORK=$TARGET/python
if [ "${1:-}" = --core ]; then WORK=$2; fi
RELEASE=3.13.5
PACKAGES="clang-19 lld-19 libclang-rt-19-dev-wasm32"
if ! command -v clang-19 >/dev/null 2>&1 || ! command -v wasm-ld-19 >/dev/null 2>&1; then
    if [ "$(id -u)" != 0 ]; then
        echo "clang-19 is missing: run \`sudo apt-get install --no-install-recommends $PACKAGES\`" >&2
        exit 1
    fi
    # shellcheck disable=SC2086
    apt-get install -y --no-install-recommends $PACKAGES >&2
fi
mkdir -p "$WORK"

# --- Sources: Debian 13's, whatever this machine runs, checked by digest ---------------------------------------------------------------
APT=$WORK/apt
debian() { # an apt of our own, which leaves the machine's alone
    apt-get -q -o Dir::Etc::sourcelist="$APT/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$APT/lists" \
        -o Dir::Cache="$APT/cache" -o APT::Sandbox::User=root "$@"
}
CPYTHON=$APT/python3.13_$RELEASE.orig.tar.xz
ZLIB=$APT/zlib_1.3.dfsg+really1.3.1.orig.tar.gz
LIBC=$APT/wasi-libc_0.0~git20241209.574b88d-2_all.deb
checked() {
    sha256sum --check --quiet >&2 <<SUMS
93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640  $CPYTHON
b7716260051d289248b7667f81fa2792c125d888ff51da3fa09c6272cc0bd11d  $LIBC
60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb  $ZLIB
SUMS
}
if ! [ -e "$CPYTHON" ] || ! [ -e "$ZLIB" ] || ! [ -e "$LIBC" ]; then
    mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial"
    # From where this machine has its packages.
    MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/$')
    for kind in deb deb-src; do
        echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR trixie main"
    done > "$APT/sources.list"
    (cd "$APT" && debian update && debian source --download-only --tar-only python3.13 zlib && debian download wasi-libc) >&2
fi
checked

# --- CPython --------------------------------------------------------------------------------------------------------------------------
SOURCE=$WORK/Python-$RELEASE
SYSROOT=$WORK/sysroot
# CPython counts calls in C, and takes WebAssembly's stack for one of 8 MiB; the host gives a plugin 512 KiB. So it may go 700 deep, and
# a call from C into Python, which takes as much as six others, counts as such. The parser counts for itself: with 2,000 of its calls, some
# 80 brackets may stand in one another. tests/it/python/recursions.py tries all ways to recurse.
put() { # FILE OLD NEW: another release, which has no such line, stops here
    grep -q "$2" "$SOURCE/$1" || { echo "$1 of CPython $RELEASE has no line with $2" >&2; exit 1; }
    sed -i "s/$2/$3/" "$SOURCE/$1"
}
if ! [ -d "$SOURCE" ]; then
    tar -C "$WORK" -xf "$CPYTHON"
    put Include/cpython/pystate.h "define Py_C_RECURSION_LIMIT 5000" "define Py_C_RECURSION_LIMIT 700"
    put Parser/parser.c "define MAXSTACK 4000" "define MAXSTACK 2000"
    put Python/ceval.c "define PY_EVAL_C_STACK_UNITS 2" "define PY_EVAL_C_STACK_UNITS 6"
fi
if ! [ -d "$SYSROOT/include" ]; then
    dpkg-deb -x "$LIBC" "$WORK/libc"
    mkdir -p "$SYSROOT"
    cp -r "$WORK/libc/usr/include" "$WORK/libc/usr/lib" "$SYSROOT"
fi
[ -d "$WORK/zlib-1.3.1" ] || tar -C "$WORK" -xf "$ZLIB"
# No time of the build in it, and no paths of this machine.
SOURCE_DATE_EPOCH=0
PYTHONHASHSEED=0
export SOURCE_DATE_EPOCH PYTHONHASHSEED

# One that runs here, for what the build does in Python.
HOST=$WORK/host
if ! [ -x "$HOST/python" ]; then
    mkdir -p "$HOST"
    (cd "$HOST" && "$SOURCE/configure" --disable-test-modules --without-ensurepip && make -j"$(nproc)" python) > "$WORK/host.log" 2>&1 ||
        { tail -20 "$WORK/host.log" >&2; exit 1; }
fi

MAPS="-ffile-prefix-map=$SOURCE=cpython -ffile-prefix-map=$WORK=work -ffile-prefix-map=$HERE=python"
FLAGS="--target=wasm32-wasi --sysroot=$SYSROOT -O2 -DNDEBUG -fno-strict-overflow $MAPS"
BUILD=$WORK/build
# What would be an archive is a list of its objects: the linker takes them as they are.
mkdir -p "$BUILD"
cat > "$BUILD/list" <<'LIST'
#!/bin/sh
list=$2
shift 2
printf '%s\n' "$@" > "$list"
LIST
chmod +x "$BUILD/list"
LISTS="libpython3.13.a Modules/_decimal/libmpdec/libmpdec.a Modules/expat/libexpat.a Modules/_hacl/libHacl_Hash_SHA2.a"
if ! [ -e "$BUILD/done" ]; then
    (cd "$BUILD" && ZLIB_CFLAGS="-I$WORK/zlib-1.3.1" ZLIB_LIBS=" " CONFIG_SITE="$SOURCE/Tools/wasm/config.site-wasm32-wasi" "../Python-$RELEASE/configure" --build="$("$SOURCE/config.guess")" \
        --host=wasm32-unknown-wasip1 --with-build-python="$HOST/python" --disable-test-modules --without-ensurepip --disable-ipv6 \
        --with-pkg-config=no CC="clang-19 --target=wasm32-wasi --sysroot=$SYSROOT" \
        CPP="clang-19 --target=wasm32-wasi --sysroot=$SYSROOT -E" AR="$BUILD/list" RANLIB=true LD=wasm-ld-19 &&
        make -j"$(nproc)" OPT="-DNDEBUG -O2 -w $MAPS" $LISTS) > "$WORK/build.log" 2>&1 ||
        { tail -20 "$WORK/build.log" >&2; exit 1; }
    touch "$BUILD/done"
fi

# --- The runtime ----------------------------------------------------------------------------------------------------------------------
"$HOST/python" -S -P frozen.py "$SOURCE/Lib" library ../sdk/python "$WORK"
OBJECTS=
compile() {
    object=$WORK/$(basename "$1" .c).o
    # shellcheck disable=SC2086
    clang-19 $FLAGS -std=gnu2x -D_GNU_SOURCE -I"$SOURCE/Include" -I"$BUILD" -I"$WORK" -I"$WORK/zlib-1.3.1" -Isrc -I../sdk/c $2 -c "$1" -o "$object"
    OBJECTS="$OBJECTS $object"
}
for part in event files module plugin system text; do
    compile src/$part.c "-Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers"
done
compile ../sdk/c/paddlewheel.c "-Wall -Wextra -Werror"
compile "$WORK/frozen.c" -w
for part in adler32 compress crc32 deflate inffast inflate inftrees trees uncompr zutil; do compile "$WORK/zlib-1.3.1/$part.c" -w; done
# The stack comes first: what goes beyond it is outside the memory, and ends the call.
# shellcheck disable=SC2046,SC2086
(cd "$BUILD" && clang-19 $FLAGS -mexec-model=reactor -s $OBJECTS $(cat $LISTS) -lwasi-emulated-signal -lwasi-emulated-getpid \
    -lwasi-emulated-process-clocks -ldl -lm -Wl,--stack-first -Wl,-z,stack-size=1048576 -o "$WORK/core.wasm")
cat ../../wit/transform.wit world.wit > "$WORK/world.wit"
if [ "${1:-}" = --core ]; then exit 0; fi
cargo build --quiet --locked --manifest-path ../../Cargo.toml --workspace --example snapshot --example componentize
"$TARGET/debug/examples/snapshot" "$WORK/core.wasm" "$WORK/started.wasm"
"$TARGET/debug/examples/componentize" "$WORK/started.wasm" "$WORK/world.wit" paddlewheel:python/runtime@0.1.0 "$WORK/python.wasm"
gzip -9nc "$WORK/python.wasm" > python.wasm.gz
sh ../inputs.sh python > "$WORK/inputs.sha256" && mv "$WORK/inputs.sha256" inputs.sha256
