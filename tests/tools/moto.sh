# Puts moto, which speaks S3, into .tools/moto. Without Python and pip the tests that need it say that they were skipped; as root on
# Debian they are installed first.
set -eu
VERSION=5.2.5
if [ "$(cat .tools/moto/version 2>/dev/null)" = "$VERSION" ]; then exit 0; fi
if ! python3 -m pip --version >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -q && apt-get install -q -y --no-install-recommends python3 python3-pip
    else
        echo "no Python with pip: the tests that speak to S3 will be skipped" >&2
        exit 0
    fi
fi
rm -rf .tools/moto
python3 -m pip install -q --disable-pip-version-check --no-warn-conflicts --root-user-action ignore --target .tools/moto "moto[s3,server]==$VERSION"
echo "$VERSION" > .tools/moto/version
