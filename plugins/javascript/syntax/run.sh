#!/bin/sh
# tc39's test262-parser-tests (npm, pinned) through the runtime: which scripts it reads and refuses, and where that is not as ECMAScript
# has it. What differs is quickjs-ng's. Needs npm, Python and `paddle`, whose path may be given.
set -eu
cd "$(dirname "$0")"
paddle=${1:-paddle}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent test262-parser-tests@0.0.5 >/dev/null && tar xzf test262-parser-tests-0.0.5.tgz)
python3 - "$work" <<'PY'
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
with open(work / "input.ndjson", "w") as out:
    for kind in ("pass", "fail", "early"):
        for file in sorted((work / "package" / kind).iterdir()):
            # Modules need another goal than `eval` has.
            if not file.name.endswith(".module.js"):
                out.write(json.dumps({"kind": kind, "file": file.name, "source": file.read_text("utf-8")}) + "\n")
PY
# Some of them loop for ever: dead letters, and exit code 1.
"$paddle" run . -i "$work/input.ndjson" --dead-letters "$work/dead.ndjson" >"$work/output.ndjson" 2>/dev/null || [ $? = 1 ]
python3 - "$work" <<'PY'
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
asked = {"pass": 0, "fail": 0, "early": 0}
for line in open(work / "input.ndjson"):
    asked[json.loads(line)["kind"]] += 1
wrong = {"pass": [], "fail": [], "early": []}
for line in open(work / "output.ndjson"):
    told = json.loads(line)
    if (told["said"] == "read") != (told["kind"] == "pass"):
        wrong[told["kind"]].append(told["file"])
for kind, what in (("pass", "to be read"), ("fail", "to be refused"), ("early", "to be refused early")):
    print(f"{what}: {asked[kind] - len(wrong[kind])} of {asked[kind]}; not: {' '.join(wrong[kind]) or 'none'}")
PY
