# Builds the OpenSearch node that one test delivers to, into .tools/. Without a JDK of 17 or later and Maven that test
# says that it was skipped; as root on Debian they are installed first.
set -eu
if ! command -v mvn >/dev/null 2>&1 || ! command -v javac >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        apt-get update -q && apt-get install -q -y --no-install-recommends openjdk-17-jdk-headless maven
    else
        echo "no JDK and Maven: the test that delivers to a real OpenSearch will be skipped" >&2
        exit 0
    fi
fi
OPENSEARCH_BUILD="$PWD/.tools/opensearch" sh tests/opensearch/start.sh build
