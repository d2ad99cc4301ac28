"""The contract's functions. Inside a component they are componentize-py's; outside there is no host."""

from typing import Any, Callable, NoReturn

try:
    from componentize_py_runtime import call_import, drop_resource
except ModuleNotFoundError:

    def _no_host(*arguments: object) -> NoReturn:
        raise RuntimeError("there is no Paddlewheel host here: test what touches events with `paddle test`")

    call_import = drop_resource = _no_host

call: Callable[[int, list[Any]], Any] = call_import
"""Calls the function of this number."""

drop: Callable[[int, int], None] = drop_resource
"""Gives a handle back."""
