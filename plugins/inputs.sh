#!/bin/sh
# Prints the digests of a checked-in runtime and of all that it is made from, versions of compilers included: its build script names
# them. The build scripts write them beside the runtime, and a test compares: so a source that changed without a build, or a binary that
# was put in its place, is seen on every run.
#
#     inputs.sh javascript|python > FOLDER/inputs.sha256
set -eu
cd "$(dirname "$0")"
{
    find "$1" -type f ! -name README.md ! -name inputs.sha256 ! -name '*.pyc' ! -path '*/syntax/*'
    find sdk/c -maxdepth 1 -name 'paddlewheel.[ch]'
    if [ "$1" = python ]; then find sdk/python/paddlewheel -name '*.py'; fi
    echo ../wit/transform.wit
} | LC_ALL=C sort | while read -r file; do sha256sum "$file"; done
