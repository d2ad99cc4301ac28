# Puts AWS's Lambda Runtime Interface Emulator into .tools/rie, from the package that ships it. Without pip, or on a
# machine that it is not made for, the test that needs it says that it was skipped (moto.sh installs pip where it may).
set -eu
VERSION=1.170.0
if [ "$(cat .tools/rie/version 2>/dev/null)" = "$VERSION" ]; then exit 0; fi
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) MACHINE=x86_64 ;;
    Linux-aarch64) MACHINE=arm64 ;;
    *) exit 0 ;;
esac
python3 -m pip --version >/dev/null 2>&1 || exit 0
rm -rf .tools/rie
python3 -m pip install -q --disable-pip-version-check --root-user-action ignore --no-deps --target .tools/rie/package "aws-sam-cli==$VERSION"
cp ".tools/rie/package/samcli/local/rapid/aws-lambda-rie-$MACHINE" .tools/rie/aws-lambda-rie
chmod +x .tools/rie/aws-lambda-rie
rm -rf .tools/rie/package
echo "$VERSION" > .tools/rie/version
