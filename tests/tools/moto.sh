# Puts moto, which speaks S3, into .tools/moto, with cfn-lint, which moto brings anyway and which judges the template.
# Without Python and pip the tests that need them say that they were skipped; as root on Debian they are installed
# first.
set -eu
MOTO=5.2.5
CFN_LINT=1.58.0
if [ "$(cat .tools/moto/version 2>/dev/null)" = "$MOTO" ] && [ -d ".tools/moto/cfn_lint-$CFN_LINT.dist-info" ]; then exit 0; fi
if ! python3 -m pip --version >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -q && apt-get install -q -y --no-install-recommends python3 python3-pip
    else
        echo "no Python with pip: the tests that speak to S3 will be skipped" >&2
        exit 0
    fi
fi
rm -rf .tools/moto
python3 -m pip install -q --disable-pip-version-check --no-warn-conflicts --root-user-action ignore --target .tools/moto "moto[s3,server]==$MOTO" "cfn-lint==$CFN_LINT"
echo "$MOTO" > .tools/moto/version
