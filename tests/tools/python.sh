# Puts componentize-py, which builds plugins in Python, and mypy into .tools/python. Without Python the tests that need them say that
# they were skipped; as root on Debian it is installed first.
set -eu
COMPONENTIZE_PY=0.25.1
MYPY=2.4.1
WANTED="$COMPONENTIZE_PY $MYPY"
if [ "$(cat .tools/python/version 2>/dev/null)" = "$WANTED" ]; then exit 0; fi
if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -q && apt-get install -q -y --no-install-recommends python3 python3-venv
    else
        echo "no Python with venv: the tests of plugins in Python will be skipped" >&2
        exit 0
    fi
fi
rm -rf .tools/python
python3 -m venv .tools/python
.tools/python/bin/python -m pip install -q --disable-pip-version-check "componentize-py==$COMPONENTIZE_PY" "mypy==$MYPY"
echo "$WANTED" > .tools/python/version
