"""Functions of kernels: how they are found, and their failures as customers see them."""

import importlib
import inspect
import traceback

from manyhands import PlatformError

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


def unfit_reason(error):
    """The reason for which an output cannot be sent."""
    return error.message.replace("The value cannot be sent: ", "", 1).replace(_EXPECTED, "")


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
