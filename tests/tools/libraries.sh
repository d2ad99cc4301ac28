# The tests of the libraries in Go and Python, with the languages' own tools, where those are.
set -eu
if command -v go >/dev/null 2>&1; then
    (cd plugins/sdk/go && test -z "$(gofmt -l . ../../../tests/data/languages/go)" && go vet ./... && go test ./...)
else
    echo "no Go: the tests of plugins/sdk/go are skipped" >&2
fi
if [ -x .tools/python/bin/mypy ]; then
    TOOLS="$PWD/.tools/python/bin"
    PLUGIN="$PWD/tests/data/languages/python/plugin.py"
    cd plugins/sdk/python
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=. "$TOOLS/python" -m unittest discover -q -s tests
    MYPYPATH=. "$TOOLS/mypy" --strict --cache-dir=/dev/null paddlewheel tests "$PLUGIN"
else
    echo "no mypy in .tools: the tests of plugins/sdk/python are skipped" >&2
fi
