#!/bin/sh
# One real OpenSearch node on 127.0.0.1, in the foreground.
#   start.sh PORT DATADIR [setting=value ...]
#   start.sh build                             only builds it
# Environment:
#   JAVA_HOME         the JDK to use (otherwise the java on PATH)
#   OPENSEARCH_LINE   3 (Java 21 or later) or 2 (Java 17 or later); by default the newest the JDK can run
#   OPENSEARCH_BUILD  where the built node is kept (default: a folder in the user's cache)
#   OPENSEARCH_HEAP   Java heap (default 1g)
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
[ $# -ge 2 ] || [ "${1:-}" = build ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }

java=java
[ -z "${JAVA_HOME:-}" ] || java=$JAVA_HOME/bin/java
major=$("$java" -version 2>&1 | sed -n '1s/[^"]*"\([0-9]*\).*/\1/p')

if [ "$major" -ge 21 ]; then line=3; else line=2; fi
line=${OPENSEARCH_LINE:-$line}
case $line in
  3) runner=3.8.0.0; release=21 ;;
  2) runner=2.19.1.0; release=17 ;;
  *) echo "OPENSEARCH_LINE must be 3 or 2, not $line" >&2; exit 2 ;;
esac
[ "$major" -ge "$release" ] || { echo "OpenSearch $runner needs Java $release or later; $java is $major" >&2; exit 2; }

build=${OPENSEARCH_BUILD:-${XDG_CACHE_HOME:-$HOME/.cache}/opensearch-node}/$runner
if [ ! -f "$build/complete" ]; then
  echo "building OpenSearch node $runner in $build" >&2
  mkdir -p "$build"
  mvn -B -q -f "$here/pom.xml" -Drunner.version="$runner" -Djava.release="$release" -Dbuild.dir="$build" package >&2
  touch "$build/complete"
fi

[ "$1" != build ] || exit 0

# Warnings of newer JDKs about native access and Unsafe are of no use here.
quiet=
[ "$major" -lt 22 ] || quiet="--enable-native-access=ALL-UNNAMED"
[ "$major" -lt 24 ] || quiet="$quiet --sun-misc-unsafe-memory-access=allow"
heap=${OPENSEARCH_HEAP:-1g}
# shellcheck disable=SC2086
exec "$java" -Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC $quiet \
  -cp "$build/node.jar:$build/lib/*" node.Main "$@"
