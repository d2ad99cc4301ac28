#!/usr/bin/env python3
"""Follows docs/javascript.md with nothing but an archive of `paddle`: in an empty root, where there is no other program and no library.

    sudo deploy/try_archive.py ARCHIVE.tar.gz [EMULATOR]

EMULATOR runs programs of another processor and needs no library: /usr/bin/qemu-aarch64-static of Debian's qemu-user-static.
"""
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile

# What a child does: there is no shell in the root that could.
INSIDE = """
import os, sys
root, here, *command = sys.argv[1:]
os.chroot(root)
os.chdir(here)
os.execve(command[0], command, {"HOME": "/home"})
"""
PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "javascript.md"


def blocks(page):
    """Each block between fences: what stands behind the first fence, and the text."""
    return re.findall(r"^```([^\n]*)\n(.*?)^```$", page, re.M | re.S)


def main(archive, emulator=None):
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                if member.name.endswith("/bin/paddle"):
                    member.name = "paddle"
                    tar.extract(member, root)
        started = ["/paddle"]
        if emulator:
            shutil.copy(emulator, root / "emulator")
            started = ["/emulator", "/paddle"]
        (root / "home").mkdir()
        (root / "tmp").mkdir()
        here, said, ran = "/home", "", 0

        def paddle(arguments):
            command = [sys.executable, "-c", INSIDE, str(root), here, *started, *arguments]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            print(f"$ paddle {shlex.join(arguments)}\n{done.stdout}", end="")
            if done.returncode:
                sys.exit(f"exit code {done.returncode}")
            return done.stdout

        for info, text in blocks(PAGE.read_text()):
            words = info.split()
            if words == ["sh"]:
                said = ""
                for line in text.splitlines():
                    name, *arguments = shlex.split(line)
                    if name == "cd":
                        here = f"{here}/{arguments[0]}"
                    else:
                        said += paddle(arguments)
                        ran += 1
            elif words == ["text"]:
                for line in text.splitlines():
                    if line not in said:
                        sys.exit(f"{line!r} was not said")
            elif len(words) == 2:
                (root / here.lstrip("/") / words[1]).write_text(text)
        print(f"{ran} commands of docs/javascript.md, in a root with nothing else in it")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
