"""Failures of functions in Python, as customers see them."""

import traceback

from manyhands import PlatformError


def message_of(error, has, others=""):
    """The last line of a traceback. ``has`` says which modules a kernel has, ``others`` how it gets others."""
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
            if frame.filename not in (own, __file__) and not frame.filename.startswith("<frozen importlib")
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
