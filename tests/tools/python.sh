# Puts mypy, and packages that the tests take along into plugins, into .tools/python. Without Python the tests that need
# them say that they were skipped; as root on Debian it is installed first.
set -eu
PACKAGES="mypy==2.4.1 python-dateutil==4.0.0 PyYAML==6.0.4 rpds-py==2026.9.1 tzdata==2026.6"
if [ "$(cat .tools/python/version 2>/dev/null)" = "$PACKAGES" ]; then exit 0; fi
if ! python3 -m venv --help >/dev/null 2>&1 || ! python3 -c 'import ensurepip' >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -q && apt-get install -q -y --no-install-recommends python3 python3-venv
    else
        echo "no Python with venv: the tests of packages in Python will be skipped" >&2
        exit 0
    fi
fi
rm -rf .tools/python
python3 -m venv .tools/python
# shellcheck disable=SC2086
.tools/python/bin/python -m pip install -q --disable-pip-version-check $PACKAGES
echo "$PACKAGES" > .tools/python/version
