#!/bin/sh
# Archives of `paddle` for Linux that need nothing on the machine they run on: one static program each, linked against
# musl by Zig's linker, with the README and the licence, and their SHA-256. Into dist/ of the target folder.
#
#   deploy/dist.sh [ARCH]...      x86_64, aarch64; default: both
#
# Needs Rust from rustup and Python with venv.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
target_dir=${CARGO_TARGET_DIR:-target}
case $target_dir in /*) ;; *) target_dir=$PWD/$target_dir ;; esac
tools=$PWD/.tools/zig
if ! [ -x "$tools/bin/cargo-zigbuild" ]; then
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check cargo-zigbuild==0.24.1 ziglang==0.13.0
fi
mkdir -p "$target_dir/dist"
for arch in ${*:-x86_64 aarch64}; do
    triple=$arch-unknown-linux-musl
    rustup target add "$triple" >/dev/null 2>&1 || true
    PATH=$tools/bin:$PATH cargo zigbuild --locked --release --package cli --bin paddle --target "$triple" --target-dir "$target_dir/dist-build"
    name=paddle-$version-linux-$arch
    folder=$target_dir/dist/$name
    rm -rf "$folder"
    mkdir -p "$folder/bin"
    cp "$target_dir/dist-build/$triple/release/paddle" "$folder/bin/paddle"
    cp README.md LICENSE docs/javascript.md "$folder/"
    # The same files make the same archive.
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$target_dir/dist" -cf - "$name" | gzip -9n > "$target_dir/dist/$name.tar.gz"
    rm -rf "$folder"
done
cd "$target_dir/dist"
sha256sum paddle-*.tar.gz > SHA256SUMS
cat SHA256SUMS
