"""Calls of a kernel's function in Pyodide. Values come and go as bytes, as manyhands.py encodes them."""

import inspect
import io
import random
import sys
import zipfile

from _manyhands_calls import Unfit, calling, find_function, fold, message_of, stack_of, unfit_reason
from manyhands import DataReference, PlatformError, decode_value, encode_value
from pyodide.ffi import JsException, to_js

#: End of the message of a module that is missing.
_ABOUT_WHEELS = (
    ". A package comes along when its wheel is in the server, where its operator puts it with `manyhands runtime add FILE`; or give "
    "a wheel of pure Python with the job: wheels=[…]"
)

_function = None
_spread = False
#: Function that combines outputs; None in a kernel that is no reduction.
_combine = None
#: Inputs of a task to each of which the function is applied; 0: they are outputs already.
_per_task = 0


class _Lines(io.TextIOBase):
    """Standard output and standard error: each line is one of the job's log."""

    def __init__(self):
        self._bridge = None
        self._rest = ""

    def begin(self, bridge):
        self._bridge = bridge

    def writable(self):
        return True

    def write(self, text):
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._log(line)
        if len(self._rest) > 4096:
            self.end()
        return len(text)

    def end(self):
        """Logs the last line, which has no end."""
        if self._rest:
            self._log(self._rest)
        self._rest = ""

    def _log(self, line):
        if self._bridge is not None:
            self._bridge.log(line)


_lines = sys.stdout = sys.stderr = _Lines()


class Context:
    """The parameter ``ctx`` of a kernel: all that a task can reach besides its input."""

    def __init__(self, bridge):
        self._bridge = bridge
        self.index = bridge.index
        self.attempt = bridge.attempt
        self.resume = decode_value(bridge.resume.to_bytes())

    def progress(self, fraction):
        """Reports the finished part of the task, 0 … 1."""
        self._bridge.progress(float(fraction))

    def log(self, *parts):
        """A line for the job's log."""
        self._bridge.log(" ".join(map(str, parts)))

    def random(self):
        """The next number of the task's own stream, in [0, 1)."""
        return self._bridge.random()

    def checkpoint(self, state):
        """Stores progress, from which another machine can go on: ``ctx.resume`` there."""
        self._bridge.checkpoint(to_js(encode_value(state)))

    async def data(self, ref):
        """The bytes of a data reference."""
        if not isinstance(ref, DataReference):
            raise TypeError("ctx.data expects a data reference, as it stands in the input or comes from ctx.put")
        return (await self._bridge.data(to_js(encode_value(ref)))).to_bytes()

    async def put(self, data):
        """Stores bytes, and returns the reference to them."""
        return decode_value((await self._bridge.put(to_js(bytes(data)))).to_bytes())


def install(file, wheel):
    """Unpacks a wheel into a folder of its own, behind those that came before it."""
    folder = f"/wheels/{file}"
    with zipfile.ZipFile(io.BytesIO(wheel.to_bytes())) as archive:
        archive.extractall(folder)
    sys.path.append(folder)


def prepare(module, name, spread, combine, bridge):
    """Imports the function, and the one that combines. Returns whether data references stay in the input, or the failure."""
    global _function, _spread, _combine, _per_task
    _lines.begin(bridge)
    try:
        random.seed(0)
        found, takes_ctx, is_async = find_function(module, name)
        _function, _spread = calling(found, takes_ctx), spread
        if combine is None:
            return is_async
        _combine = calling(*find_function(combine.module, combine.function)[:2])
        _per_task = combine.perTask
        return is_async or _per_task == 0
    except BaseException as error:
        return _failure(error)


def call(data, bridge):
    """Calls the function for one task."""
    _lines.begin(bridge)
    try:
        random.seed(bridge.seed)
        value = decode_value(data.to_bytes())
        ctx = Context(bridge)
        if _combine is None:
            output = _function(*(value if _spread else [value]), ctx=ctx)
        else:
            output = fold(value, ctx, _function if _per_task > 0 else None, _combine, _per_task)
        if inspect.isawaitable(output):
            return to_js(["waiting", _settle(output)], depth=1)
    except BaseException as error:
        return _failure(error)
    return _done(output)


async def _settle(output):
    try:
        output = await output
    except BaseException as error:
        return _failure(error)
    return _done(output)


def _done(output):
    _lines.end()
    try:
        return to_js(["done", to_js(encode_value(output))], depth=1)
    except PlatformError as error:
        return to_js(["unfit", unfit_reason(error)], depth=1)


def _failure(error):
    _lines.end()
    if isinstance(error, Unfit):
        return to_js(["unfit", str(error)], depth=1)
    message = message_of(error, "Python's standard library and the modules that came with it", _ABOUT_WHEELS)
    cause = error.js_error if isinstance(error, JsException) else None
    return to_js(["failed", message, stack_of(error, message, __file__, "/kernel/"), cause], depth=1)
