"""Functions of kernels: how they are found, and their failures as customers see them."""

import importlib
import inspect
import traceback

from manyhands import PlatformError, decode_value, encode_value, undefined

#: End of the message of a value that cannot be sent.
_EXPECTED = ". Expected JSON values, bytes, numeric arrays or data references."


def find_function(module, name):
    """The function of a module, whether it takes ``ctx``, and whether it is a coroutine function."""
    found = importlib.import_module(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise AttributeError(f"the module {module} has no function {name}")
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{name} of the module {module} is a {type(found).__name__}; expected a function")
    try:
        takes_ctx = "ctx" in inspect.signature(found).parameters
    except (TypeError, ValueError):
        takes_ctx = False
    return found, takes_ctx, inspect.iscoroutinefunction(inspect.unwrap(found))


def calling(found, takes_ctx):
    """The function with the task's ``ctx`` behind its arguments."""
    return lambda *values, ctx: found(*values, **({"ctx": ctx} if takes_ctx else {}))


class Unfit(Exception):
    """An output between others that cannot be sent."""

    def __str__(self):
        return _place_of(self) + super().__str__()


class _InputContext:
    """The parameter ``ctx`` of a call for one input of several, as if it were alone; ``random`` goes on."""

    def __init__(self, ctx, first, at, count, folded, resume):
        self._ctx, self._at, self._count, self._folded = ctx, at, count, folded
        self.index = first + at
        self.resume = resume

    def __getattr__(self, name):
        return getattr(self._ctx, name)

    def progress(self, fraction):
        """Reports the finished part of the call, 0 … 1."""
        self._ctx.progress((self._at + fraction) / self._count)

    def checkpoint(self, state):
        """Keeps a state from which another machine can go on: ``ctx.resume`` there."""
        try:
            self._ctx.checkpoint({"at": self._at, "folded": self._folded, "state": state})
        except Exception as error:
            # Without a checkpoint that includes the outputs so far, another machine begins the task anew.
            if self._at == 0 or getattr(getattr(error, "js_error", None), "code", None) != "TOO_LARGE":
                raise


async def fold(values, ctx, function, combine, per_task):
    """Combines outputs from left to right (SPEC.md [REDUCE-1]); with ``function``, those that it makes of the values.

    Each output becomes what it is for its next receiver, so that it does not matter where tasks end.
    """
    resume, folded, start = None, None, 0
    if function is not None and isinstance(ctx.resume, dict):
        resume, folded, start = ctx.resume, ctx.resume.get("folded"), ctx.resume["at"]
    for at in range(start, len(values)):
        output = values[at]
        if function is not None:
            first = ctx.index * per_task
            state = resume["state"] if resume is not None and at == start else undefined
            own = _InputContext(ctx, first, at, len(values), folded, state)
            try:
                output = await _sent(function(output, ctx=own))
            except BaseException as error:
                error.manyhands_input = first + at
                raise
        folded = output if at == 0 else await _sent(combine(folded, output, ctx=ctx))
        ctx.progress((at + 1) / len(values))
    return folded


async def _sent(output):
    """An output, awaited where it is none yet, as the next function receives it."""
    if inspect.isawaitable(output):
        output = await output
    try:
        return decode_value(encode_value(output))
    except PlatformError as error:
        raise Unfit(unfit_reason(error)) from None


def unfit_reason(error):
    """The reason for which an output cannot be sent."""
    return error.message.replace("The value cannot be sent: ", "", 1).replace(_EXPECTED, "")


def message_of(error, has, others=""):
    """The last line of a traceback. ``has`` says which modules a kernel has, ``others`` how it gets others."""
    return _place_of(error) + _message_of(error, has, others)


def _place_of(error):
    """The input whose call failed, where a task has several."""
    index = getattr(error, "manyhands_input", None)
    return "" if index is None else f"Input {index}: "


def _message_of(error, has, others):
    told = "".join(traceback.format_exception_only(type(error), error)).strip().rsplit("\n", 1)[-1]
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        return f"SystemExit: the kernel called sys.exit({'' if error.code is None else repr(error.code)})"
    if isinstance(error, PlatformError):
        return error.message
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{told} (a kernel has {has}; {error.name.partition('.')[0]} is neither{others})"
    if isinstance(error, MemoryError):
        return f"{told.rstrip(': ')}: the memory of the kernel is full; memory_mb of the job says how much there is"
    return told


def stack_of(error, message, own, root):
    """The traceback without the frames of the file ``own``, and with paths below ``root``."""
    told = traceback.TracebackException.from_exception(error)
    seen = told
    while seen is not None:
        frames = [
            frame
            for frame in seen.stack
            if frame.filename not in (own, __file__)
            and not frame.filename.startswith("<frozen importlib")
            and "/asyncio/" not in frame.filename
        ]
        for frame in frames:
            frame.filename = frame.filename.removeprefix(root)
        seen.stack = traceback.StackSummary.from_list(frames)
        seen = seen.__cause__ or seen.__context__
    text = "".join(told.format()).rstrip("\n")
    last = "".join(told.format_exception_only()).rstrip("\n")
    if message in text or not text.endswith(last):
        return text
    return text[: -len(last)] + message
