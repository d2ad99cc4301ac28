"""Ways to recurse without end, or very deep. Each must end in a RecursionError, or be done: never in a trap.

Not here, since they trap: a chain of ten thousand iterators, `it = map(f, it)`, and the hash of a tuple in a tuple, ten thousand deep.
CPython walks them without a look at the stack, everywhere.
"""

import ast
import copy
import functools
import json
import re

N = 20_000


def deep_list(n=N):
    value = []
    for _ in range(n):
        value = [value]
    return value


def deep_dict(n=N):
    value = {}
    for _ in range(n):
        value = {"a": value}
    return value


def deep_tuple(n=N):
    value = ()
    for _ in range(n):
        value = (value,)
    return value


class Odd:
    """Each of its methods asks for itself."""

    def __repr__(self):
        return repr(self)

    def __str__(self):
        return str(self)

    def __format__(self, how):
        return f"{self}"

    def __eq__(self, other):
        return [self] == [other] if other is not self else False

    def __hash__(self):
        return hash((self, 1))

    def __lt__(self, other):
        return self < other

    def __add__(self, other):
        return self + other

    def __getattr__(self, name):
        return getattr(self, name + "x")

    def __getitem__(self, k):
        return self[k]

    def __contains__(self, k):
        return k in self

    def __len__(self):
        return len(self)

    def __bool__(self):
        return not self

    def __iter__(self):
        return iter(self)

    def __call__(self):
        return self()

    def __int__(self):
        return int(self)

    def __index__(self):
        return [1][self]

    def __bytes__(self):
        return bytes(self)

    @property
    def own(self):
        return self.own

    @staticmethod
    def reduce():
        return functools.reduce(lambda one, other: Odd.reduce(), [1, 2])


@functools.lru_cache
def cached(n):
    return cached(n + 1)


def wrapped(function):
    @functools.wraps(function)
    def inner(*arguments, **named):
        return function(*arguments, **named)

    return inner


def again(f):
    """Calls something that calls it, without end."""
    return f(lambda *_: again(f))


def inner_generator(n):
    if n:
        yield from inner_generator(n - 1)
    yield n


def raised(n):
    try:
        raise ValueError(n)
    except ValueError:
        raised(n + 1)


class Meta(type):
    def __call__(cls):
        return cls()

    def __instancecheck__(cls, other):
        return isinstance(other, cls)


class Made(metaclass=Meta):
    def __init__(self):
        Made()


ways = {
    "plain": lambda: again(lambda f: f()),
    "sorted": lambda: again(lambda f: sorted([2, 1], key=f)),
    "map": lambda: again(lambda f: list(map(f, [1]))),
    "filter": lambda: again(lambda f: list(filter(f, [1]))),
    "min": lambda: again(lambda f: min([1, 2], key=f)),
    "sub": lambda: again(lambda f: re.sub("a", f, "a")),
    "reduce": Odd.reduce,
    "apply": lambda: again(lambda f: f(*[], **{})),
    "partial": lambda: again(lambda f: functools.partial(f, 1)()),
    "wrapped": lambda: again(wrapped(lambda f: f())),
    "cached": lambda: cached(0),
    "comprehension": lambda: again(lambda f: [f() for _ in [1]]),
    "generator": lambda: again(lambda f: list(f() for _ in [1])),
    "yield_from": lambda: list(inner_generator(N)),
    "exec": lambda: again(lambda f: exec("f()", {"f": f})),
    "exceptions": lambda: raised(0),
    "repr": lambda: repr(Odd()),
    "str": lambda: str(Odd()),
    "format": lambda: format(Odd()),
    "hash": lambda: hash(Odd()),
    "lt": lambda: Odd() < Odd(),
    "eq": lambda: Odd() == Odd(),
    "add": lambda: Odd() + 1,
    "getattr": lambda: Odd().a,
    "getitem": lambda: Odd()[1],
    "contains": lambda: 1 in Odd(),
    "len": lambda: len(Odd()),
    "bool": lambda: bool(Odd()),
    "iter": lambda: list(Odd()),
    "call": lambda: Odd()(),
    "int": lambda: int(Odd()),
    "index": lambda: Odd().__index__(),
    "bytes": lambda: bytes(Odd()),
    "property": lambda: Odd().own,
    "meta": lambda: Made(),
    "isinstance": lambda: isinstance(1, Made),
    "isinstance_tuple": lambda: isinstance(1, deep_tuple()),
    "setdefault": lambda: again(lambda f: {}.setdefault(f(), 1)),
    "repr_list": lambda: repr(deep_list()),
    "repr_dict": lambda: repr(deep_dict()),
    "repr_tuple": lambda: repr(deep_tuple()),
    "eq_list": lambda: deep_list() == deep_list(),
    "eq_dict": lambda: deep_dict() == deep_dict(),
    "lt_tuple": lambda: deep_tuple() < deep_tuple(),
    "dumps_list": lambda: json.dumps(deep_list()),
    "dumps_dict": lambda: json.dumps(deep_dict()),
    "dumps_slowly": lambda: json.dumps(deep_dict(), indent=1),
    "dumps_default": lambda: again(lambda f: json.dumps(Odd(), default=f)),
    "loads_list": lambda: json.loads("[" * N + "]" * N),
    "loads_dict": lambda: json.loads('{"a":' * N + "1" + "}" * N),
    "loads_hook": lambda: again(lambda f: json.loads("{}", object_hook=f)),
    "deepcopy": lambda: copy.deepcopy(deep_list()),
    "drop": lambda: deep_list(100_000) and None,
    "eval_brackets": lambda: eval("[" * N + "]" * N),
    "eval_sum": lambda: eval("1+" * N + "1"),
    "eval_minus": lambda: eval("-" * N + "1"),
    "eval_calls": lambda: eval("f" + "()" * N, {"f": lambda: None}),
    "literal": lambda: ast.literal_eval("[" * 150 + "]" * 150),
    "pattern": lambda: re.compile("(" * N + ")" * N),
    "match": lambda: re.match("(?:a|b)*?c", "ab" * N),
    "str_join": lambda: again(lambda f: "".join(f() for _ in "a")),
    "init_subclass": lambda: again(lambda f: type("A", (type("B", (), {"__init_subclass__": classmethod(f)}),), {})),
    "descriptor": lambda: again(lambda f: type("A", (), {"a": property(f)})().a),
    "set_name": lambda: again(lambda f: type("A", (), {"a": type("D", (), {"__set_name__": f})()})),
}


def init(config):
    pass


def transform(event):
    way = ways[event.text("way")]
    try:
        way()
        said = "done"
    except RecursionError:
        said = "RecursionError"
    except (MemoryError, SyntaxError, ValueError, TypeError, RuntimeError, re.error) as error:
        said = type(error).__name__
    event.set("r", said)
