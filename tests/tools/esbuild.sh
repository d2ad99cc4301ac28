# Puts esbuild, which bundles plugins in TypeScript, into .tools/esbuild, where npm is. Without it the tests that need
# it say that they were skipped.
set -eu
VERSION=0.28.2
if [ "$(cat .tools/esbuild/version 2>/dev/null)" = "$VERSION" ]; then exit 0; fi
if ! command -v npm >/dev/null 2>&1; then
    echo "no npm: the tests of plugins in TypeScript will be skipped" >&2
    exit 0
fi
mkdir -p .tools/esbuild
npm install --silent --no-audit --no-fund --no-package-lock --prefix .tools/esbuild "esbuild@$VERSION"
echo "$VERSION" > .tools/esbuild/version
