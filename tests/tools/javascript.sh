# Builds tests/guests/javascript/mask.js into .tools/javascript/mask.wasm, where npm is. Without it the bench says that
# its row is missing.
set -eu
VERSION=0.4.5
BUILT="$VERSION $(cat tests/guests/javascript/mask.js wit/transform.wit | cksum)"
if [ "$(cat .tools/javascript/built 2>/dev/null)" = "$BUILT" ]; then exit 0; fi
if ! command -v npm >/dev/null 2>&1; then
    echo "no npm: swap_ms_javascript will be missing" >&2
    exit 0
fi
mkdir -p .tools/javascript
npm install --silent --no-audit --no-fund --no-package-lock --prefix .tools/javascript "componentize-qjs@$VERSION"
.tools/javascript/node_modules/.bin/componentize-qjs --wit wit/transform.wit --js tests/guests/javascript/mask.js \
    -n transformer --sync -o .tools/javascript/mask.wasm >/dev/null
echo "$BUILT" > .tools/javascript/built
