"""What the runtime does in Python: finds the script and its modules among the step's files, and says what went wrong."""

import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import traceback

import _paddlewheel
from paddlewheel import ABSENT, Output, Refused, Reject, Retry
from paddlewheel._values import encode, parse, sayable

# What scripts ask for most. It is in memory already when an instance starts; other modules are read when they are asked for.
import base64, collections, dataclasses, datetime, decimal, enum, functools, hashlib, itertools  # noqa: E401, F401
import math, random, re, string, time, typing, urllib.parse, uuid  # noqa: E401, F401

__all__ = ["ABSENT", "Output", "Refused", "Reject", "Retry", "encode", "flush", "load", "loads", "parse", "told"]

loads = json.loads


class _Lines(io.TextIOBase):
    """Standard output and error: what is printed becomes lines of the log."""

    encoding = "utf-8"

    def __init__(self, level):
        self.level = level
        self.rest = ""

    def writable(self):
        return True

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if line:
                _paddlewheel.write(self.level, sayable(line))
        return len(text)

    def end(self):
        if self.rest:
            _paddlewheel.write(self.level, sayable(self.rest))
            self.rest = ""


sys.stdout = sys.__stdout__ = _out = _Lines(1)
sys.stderr = sys.__stderr__ = _err = _Lines(2)


def flush():
    """A line that was begun is a line when the call ends."""
    if _out.rest or _err.rest:
        _out.end()
        _err.end()


class _Files:
    """Modules among the step's files: `shop/prices.py` is `shop.prices`."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        file = name.replace(".", "/")
        names = _paddlewheel.names()
        for asset, package in ((f"{file}.py", False), (f"{file}/__init__.py", True)):
            if asset in names:
                return importlib.util.spec_from_loader(name, _Files(asset), is_package=package)
        if any(other.startswith(f"{file}/") for other in names):
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [file]
            return spec
        return None

    def __init__(self, asset):
        self.asset = asset

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        _run(self.asset, module)


def _run(asset, module):
    place = _paddlewheel.source(asset) or asset
    module.__file__ = place
    source = _paddlewheel.read(asset)
    exec(compile(source, place, "exec", dont_inherit=True), module.__dict__)


class _Compiled:
    """What a package has compiled for a machine: `paddle build` leaves a mark in its place. The import fails as any other, so that a
    package may do without, and says why."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        file = name.rpartition(".")[2] + ".compiled"
        if any(os.path.isfile(f"{folder}/{file}") for folder in path or sys.path):
            # Without `name`: with it, `from package import module` would tell another story.
            raise ModuleNotFoundError(
                f"No module named {name!r}: it is compiled for a machine, and a plugin can only use packages in Python"
            )
        return None


# The standard library, the script's own modules, packages.
sys.meta_path.insert(sys.meta_path.index(importlib.machinery.PathFinder), _Files)
sys.meta_path.append(_Compiled)
sys.path[:] = ["/packages"]


class Mistake(Exception):
    """The script is no plugin."""


def _no_config(config):
    if config != {}:
        raise Reject("this plugin takes no config: the script has no function init(config)")


def load():
    """Runs the script; its `transform` and its `init`."""
    if _paddlewheel.read("script") is None:
        raise Mistake("there is no script: the step needs `assets = { script = \"enrich.py\" }`")
    module = type(sys)("plugin")
    sys.modules["plugin"] = module
    _run("script", module)
    place = module.__file__
    transform = _of_author(module, "transform", "the event")
    if transform is None:
        raise Mistake(f"{place}: there is no function transform(event)")
    return transform, _of_author(module, "init", "the config") or _no_config


def _of_author(module, name, what):
    """A function of the author's module that takes one argument; none if there is no such name."""
    function = getattr(module, name, None)
    if function is None:
        return None
    if not callable(function):
        raise Mistake(f"{module.__file__}: {name} is a {type(function).__name__}, not a function")
    code = getattr(function, "__code__", None)
    if code is not None and type(function).__name__ == "function":
        needed = code.co_argcount - len(function.__defaults__ or ())
        if needed > 1 or (code.co_argcount == 0 and not code.co_flags & 4):
            raise Mistake(f"{module.__file__}: {name} takes one argument, {what}")
    return function


def _is_ours(file):
    return file == told.__code__.co_filename or file.startswith("<frozen ")


def told(error):
    """An exception that nobody caught: the last line of its traceback first, then the author's part of it."""
    if isinstance(error, Mistake):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    said = "".join(traceback.format_exception_only(error)).rstrip()
    places = "".join(f"\n  at {frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    return said + places
