"""Calls a kernel's function for one task, in a Python of the client's machine.

The task comes on standard input, and its outcome goes to standard output, both as manyhands.py encodes values.
"""

import hashlib
import inspect
import io
import os
import random
import sys

from _manyhands_calls import Unfit, calling, find_function, fold, message_of, stack_of, unfit_reason
from manyhands import DataReference, PlatformError, decode_value, encode_value, undefined

#: Most characters of printed lines that become lines of the job's log.
_MOST_PRINTED = 64 * 1024


class _Lines(io.TextIOBase):
    """What Python prints: each line is one of the job's log."""

    def __init__(self):
        self.text = ""

    def writable(self):
        return True

    def write(self, text):
        self.text += text[: max(0, _MOST_PRINTED - len(self.text))]
        return len(text)

    def take(self):
        return self.text.splitlines()


class Context:
    """The parameter ``ctx`` of a kernel: all that a task has besides its input."""

    def __init__(self, task):
        self.index = task["index"]
        self.attempt = task["attempt"]
        self.resume = undefined
        self._random = random.Random("ctx " + task["seed"])
        self._paths = {(sha256, start, end): path for sha256, start, end, path in task["data"]}

    def progress(self, fraction):
        """A command tells no progress."""

    def checkpoint(self, state):
        """A command has no checkpoints."""

    def log(self, *parts):
        """A line for the job's log."""
        print(*parts)

    def random(self):
        """The next number of the task's own stream, in [0, 1)."""
        return self._random.random()

    def path(self, ref):
        """The path of a file with the bytes of a data reference of the input."""
        found = self._paths.get(_key(ref)) if isinstance(ref, DataReference) else None
        if found is None:
            raise TypeError("expected a data reference, as it stands in the input")
        return found

    async def data(self, ref):
        """The bytes of a data reference of the input."""
        return _read(self.path(ref))

    async def put(self, data):
        """Stores bytes, and returns the reference to them."""
        content = bytes(data)
        sha256 = hashlib.sha256(content).hexdigest()
        os.makedirs("put", exist_ok=True)
        with open(f"put/{sha256}", "wb") as file:
            file.write(content)
        reference = DataReference(sha256, len(content))
        self._paths[_key(reference)] = f"put/{sha256}"
        return reference


def _key(ref):
    start, end = ref.range or (0, ref.size)
    return ref.sha256, start, end


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _with_bytes(value, ctx):
    """A value with the bytes of its data references in their place."""
    if isinstance(value, DataReference):
        return _read(ctx.path(value))
    if isinstance(value, list):
        return [_with_bytes(each, ctx) for each in value]
    if isinstance(value, dict):
        return {name: _with_bytes(each, ctx) for name, each in value.items()}
    return value


def _outcome(task):
    try:
        random.seed(task["seed"])
        found, takes_ctx, is_async = find_function(task["module"], task["function"])
        function, combine, ctx = calling(found, takes_ctx), task["combine"], Context(task)
        keeps_references = is_async or (combine is not None and combine["perTask"] == 0)
        value = task["input"] if keeps_references else _with_bytes(task["input"], ctx)
        if combine is None:
            output = function(*(value if task["spread"] else [value]), ctx=ctx)
        else:
            combining = calling(*find_function(combine["module"], combine["function"])[:2])
            output = fold(value, ctx, function if combine["perTask"] > 0 else None, combining, combine["perTask"])
        if inspect.isawaitable(output):
            # Half of the time to start a Python, which most functions do not need.
            import asyncio

            async def settle():
                return await output

            output = asyncio.run(settle())
    except Unfit as error:
        return ["unfit", str(error)]
    except BaseException as error:
        has = "what is installed in the client's Python and the modules that came with it"
        message = message_of(error, has)
        return ["failed", message, stack_of(error, message, __file__, os.path.join(os.getcwd(), "kernel", ""))]
    try:
        encode_value(output)
    except PlatformError as error:
        return ["unfit", unfit_reason(error)]
    return ["done", output]


def main():
    task = decode_value(sys.stdin.buffer.read())
    # Libraries that write past Python write to standard error, so that standard output has the outcome alone.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    lines = sys.stdout = sys.stderr = _Lines()
    sys.path.insert(0, os.path.join(os.getcwd(), "kernel"))
    outcome = _outcome(task)
    out.write(encode_value([outcome, lines.take()]))
    out.flush()
    # Threads that the function left are not waited for.
    os._exit(0)


main()
