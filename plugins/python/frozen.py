"""Writes frozen.c and frozen.bin: the modules that the runtime carries, as bytecode.

    frozen.py LIB LIBRARY SDK OUT

LIB is the standard library of the interpreter that is built, LIBRARY and SDK are folders of ours. Run by a Python of the same release
with PYTHONHASHSEED=0, so that constant sets come out in the same order.
"""

import marshal
import sys
import types
from pathlib import Path

# What needs a screen, a person, a C library that is not there, or is for working on Python itself. Packages import much that they never
# use in a plugin, such as `socket`: so that is here.
LEFT_OUT = set(
    "test idlelib tkinter turtledemo turtle ensurepip venv lib2to3 pydoc pydoc_data curses dbm sqlite3 ctypes msilib site-packages "
    "antigravity this webbrowser imaplib poplib tty pty _pyrepl profile cProfile pstats trace __hello__ __phello__ "
    "_ios_support _aix_support _osx_support _android_support _apple_support zipapp compileall pyclbr tabnanny modulefinder ssl "
    "wave pickletools bz2 lzma _pyio _pydatetime _pydecimal".split()
)
# What packages call when they are imported, and this CPython was built without.
ADDED = {"socket": """

def gethostname():
    return "localhost"


def getaddrinfo(*arguments, **more):
    raise gaierror(EAI_FAIL, "a plugin has no network")


EAI_FAIL = 4
"""}
# The interpreter has these already.
BUILT_IN = {"importlib._bootstrap", "importlib._bootstrap_external", "zipimport"}


def modules(folder, left_out=()):
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        if parts[0] in left_out or "__pycache__" in parts:
            continue
        package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if package else parts)
        if name not in BUILT_IN and not parts[-1].startswith("__main__"):
            yield name, package, file, file.relative_to(folder).as_posix()


def interned(value):
    """The same with every text interned: else those are that this interpreter happens to have."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, (tuple, frozenset)):
        return type(value)(interned(part) for part in value)
    if isinstance(value, types.CodeType):
        parts = ("co_consts", "co_filename", "co_name", "co_qualname")
        return value.replace(**{part: interned(getattr(value, part)) for part in parts})
    return value


def hold(value, kept):
    """Refers to a value and all that it is made of."""
    kept.append(value)
    if isinstance(value, types.CodeType):
        for name in dir(value):
            # All but what would be made anew, and what is deprecated.
            if name.startswith("co_") and name not in ("co_code", "co_lnotab", "co_lines", "co_positions"):
                hold(getattr(value, name), kept)
    elif isinstance(value, (tuple, frozenset)):
        for part in value:
            hold(part, kept)


def main():
    lib, library, sdk, out = map(Path, sys.argv[1:])
    found = {}
    for name, package, file, place in modules(lib, LEFT_OUT):
        found[name] = (package, file, place)
    for folder in (sdk, library):
        for name, package, file, place in modules(folder):
            if not name.startswith("tests"):
                found[name] = (package, file, place)
    blob = bytearray()
    lines = []
    for name, (package, file, place) in sorted(found.items()):
        # Without what is for readers. Scripts keep theirs, and their assertions.
        source = file.read_bytes() + ADDED.get(name, "").encode()
        code = compile(source, place, "exec", dont_inherit=True, optimize=2)
        # `marshal` notes for each value whether anybody else holds it, such as this interpreter, which depends on what it has read and from
        # where. So everything is held.
        code = interned(code)
        kept = []
        hold(code, kept)
        code = marshal.dumps(code)
        lines.append(f'    {{"{name}", blob + {len(blob)}, {len(code)}, {int(package)}}},\n')
        blob += code
    (out / "frozen.bin").write_bytes(blob)
    (out / "frozen.c").write_text(
        "/* Written by frozen.py. */\n#include <Python.h>\n\nstatic const unsigned char blob[] = {\n#embed \"frozen.bin\"\n};\n\n"
        "extern const struct _frozen frozen_modules[];\nconst struct _frozen frozen_modules[] = {\n" + "".join(lines)
        + "    {NULL, NULL, 0, 0},\n};\n"
    )
    print(f"{len(lines)} modules, {len(blob)} bytes")


main()
