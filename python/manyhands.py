"""Manyhands from Python: map a function, in Python or JavaScript, over inputs on every browser and machine that joined a server.

    import manyhands

    with manyhands.connect() as hands:  # http://localhost:9990; finds its token on the same machine
        print(hands.map("x => x * x", range(10)).gather())

One module, which needs the standard library of Python 3.9 or later only. Where NumPy is installed, typed arrays of
kernels are its arrays. ``docs/python.md`` of Manyhands has the whole guide, ``shared/SPEC.md`` the rules ``[PY-…]``.
"""

from __future__ import annotations

import __future__
import ast
import atexit
import builtins
import concurrent.futures
import contextlib
import datetime
import dis
import functools
import gzip
import hashlib
import http.client
import inspect
import io
import json
import math
import os
import queue
import random
import re
import shutil
import socket
import ssl
import stat
import struct
import sys
import tempfile
import textwrap
import threading
import time
import types
import urllib.parse
import uuid
import weakref
import zipfile
import zlib
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, Union

__version__ = "0.3.0"
__all__ = [
    "Command",
    "DataReference",
    "Hands",
    "Job",
    "ManyhandsExecutor",
    "Outcome",
    "Outputs",
    "PlatformError",
    "Program",
    "ProvisionalNews",
    "Reduction",
    "SettledTask",
    "TaskError",
    "TaskFailedError",
    "as_completed",
    "command",
    "connect",
    "decode_value",
    "encode_value",
    "program",
    "undefined",
]

# ---------------------------------------------------------------------------------------------------------------------
# Errors

#: Refusals of this module, as in shared/errors.ts: whether the same request may succeed later, and what to do.
_TABLE: dict[str, tuple[bool, str]] = {
    "BAD_REQUEST": (False, "Correct the request; GET /api/openapi.json describes what is expected."),
    "BAD_OPTION": (False, "Correct the option; --help lists them all."),
    "BAD_ARGUMENT": (False, "Correct it as the message says."),
    "FILE_FAILED": (False, "Check the path, and what this user may do there."),
    "UNAUTHENTICATED": (False, "Give a valid token: MANYHANDS_TOKEN, --token, or Authorization: Bearer …"),
    "FORBIDDEN": (False, "Use a token whose role allows this; `manyhands token create --role …` makes one."),
    "NOT_FOUND": (False, "Check the name; it may have been deleted."),
    "CONFLICT": (False, "Use a new key or a new index: this one already stands for something else."),
    "WRONG_STATE": (False, "Look at the job's state first: `manyhands jobs`."),
    "TOO_LARGE": (False, "Send less at once, or put the bytes as a blob and pass a data reference."),
    "RANGE_NOT_SATISFIABLE": (False, "Ask for bytes inside the blob; HEAD tells its size."),
    "HASH_MISMATCH": (True, "The bytes differ from their SHA-256; send them again."),
    "TOO_MANY": (True, "Slow down and try again after the time in Retry-After."),
    "UPGRADE_REQUIRED": (
        False,
        "Reload the page, or install the Manyhands version that the server runs and start again.",
    ),
    "UNREACHABLE": (True, "Check that the server runs and that the address and port are right."),
    "TIMED_OUT": (True, "Try again; raise the limit if it keeps happening."),
    "TASK_FAILED": (False, "Read the kernel's message and stack; mend the kernel, then requeue the failed tasks."),
    "JOB_CANCELLED": (False, "The job was cancelled; submit it again to run it."),
    "JOB_QUARANTINED": (
        False,
        "The kernel failed wherever it was tried; mend it and submit again, or requeue to try once more.",
    ),
    "JOB_BLOCKED": (
        False,
        "A job that this one comes after did not finish well; mend and requeue that one first, then this one.",
    ),
    "INTERNAL": (True, "This is a defect; the server's log has the details."),
}
_UNSERIALISABLE_REMEDY = (
    "Use JSON values, bytes, numeric arrays and data references: no functions, objects of classes or cycles."
)
_SERVER_HINT = "Check that a Manyhands server answers at this address, and that nothing in front of it refuses."


class PlatformError(Exception):
    """A refusal with a code of Manyhands' closed table: what was wrong, what was expected, what to do.

    Attributes:
        code: row of the table, such as ``CONFLICT``
        message: what was wrong and what was expected
        remedy: what to do
        retryable: whether the same request may succeed later unchanged
    """

    retry_after: float = 0.0

    def __init__(self, code: str, message: str, remedy: str | None = None, retryable: bool | None = None) -> None:
        row = _TABLE.get(code, _TABLE["INTERNAL"])
        self.code = code
        self.message = message
        self.remedy = row[1] if remedy is None else remedy
        self.retryable = row[0] if retryable is None else retryable
        super().__init__(code, message, self.remedy, self.retryable)

    def __str__(self) -> str:
        return f"{self.message}{chr(10) if chr(10) in self.message else ' '}{self.remedy} [{self.code}]"


class TaskError(Exception):
    """The final failure of one task.

    Attributes:
        index: position of the task in its job
        kind: ``error``: the kernel threw; other kinds say how the kernel was ended
        message: the kernel's message
        stack: the kernel's own stack, or None
        attempts: attempts that were made
        client: the client of the last attempt, or None
    """

    def __init__(
        self,
        index: int,
        kind: str,
        message: str,
        stack: str | None = None,
        attempts: int = 1,
        client: str | None = None,
    ) -> None:
        self.index = index
        self.kind = kind
        self.message = message
        self.stack = stack
        self.attempts = attempts
        self.client = client
        super().__init__(index, kind, message, stack, attempts, client)

    @classmethod
    def _of(cls, failure: dict[str, Any]) -> TaskError:
        message = str(failure.get("message", ""))
        return cls(
            failure.get("index", 0),
            str(failure.get("kind", "error")),
            message + _hint_for(message),
            failure.get("stack"),
            failure.get("attempts", 1),
            failure.get("client"),
        )

    def __str__(self) -> str:
        return self.stack if self.stack and self.message in self.stack else self._told()

    def _told(self) -> str:
        return self.message + "".join(f"\n{line}" for line in self._frames())

    def _frames(self) -> list[str]:
        lines = (self.stack or "").split("\n")
        return [f"    {line.strip()}" for line in lines if re.match(r"\s*at ", line)][:5]

    def _line(self) -> str:
        attempts = f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}"
        where = f", last on {self.client}" if self.client else ""
        return f"  task {self.index} ({self.kind}, {attempts}{where}): {self._told()}"


def _hint_for(message: str) -> str:
    match = re.match(r"(?:The kernel does not load: )?(?:ReferenceError: )?([\w$]+) is not defined", message)
    if not match:
        return ""
    return (
        f" (a kernel runs on another machine and sees only its input and ctx, not the program around it: "
        f"pass {match[1]} in the input, or define it inside the kernel)"
    )


class TaskFailedError(PlatformError):
    """Failure of some tasks of a gathered job. Every other task was computed; ``job.settled()`` gives those results.

    Attributes:
        failures: every failed task, by index; of a reduction the first 20
        total: number of tasks of the job
    """

    def __init__(self, failures: Sequence[TaskError], total: int, failed: int | None = None) -> None:
        failed = len(failures) if failed is None else failed
        shown = [error._line() for error in failures[:3]]
        if failed > len(shown):
            shown.append(f"  … and {failed - len(shown)} more")
        super().__init__("TASK_FAILED", "\n".join([f"{failed} of {total} tasks failed.", *shown]))
        self.args = (failures, total, failed)
        self.failures = list(failures)
        self.total = total


# ---------------------------------------------------------------------------------------------------------------------
# Values

_INLINE_BYTES = 256 * 1024
_BLOB_BYTES = 16 * 1024**3
_KERNEL_BYTES = 32 * 1024**2
_FRAME_BYTES = 16 * 1024**2
_REFS_PER_TASK = 1024
_OUTPUTS_PER_TASK = 1024
_MAX_TASK_INDEX = 2**40
_MAX_DEPTH = 200
_MAX_SAFE = 2**53 - 1


class _Undefined:
    """JavaScript's ``undefined``, which is not ``null``: the output of a kernel that returns nothing."""

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "undefined"


#: JavaScript's ``undefined`` in inputs and outputs: false, and equal to itself alone. ``None`` is ``null``.
undefined = _Undefined()


@dataclass(frozen=True)
class DataReference:
    """A blob on the server, or a slice of a blob, as a part of an input or output.

    Attributes:
        sha256: name of the blob
        size: size of the whole blob in bytes
        range: ``(start, end)`` in bytes of the blob; None: the whole blob
    """

    sha256: str
    size: int
    range: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        start, end = self.range or (0, self.size)
        fits = isinstance(self.sha256, str) and re.fullmatch(r"[0-9a-f]{64}", self.sha256)
        if not fits or not 0 <= start <= end <= self.size <= _BLOB_BYTES:
            raise ValueError(f"a data reference that names no blob: {self.sha256!r}, {self.size}, {self.range}")

    @property
    def length(self) -> int:
        """Length in bytes of the range, or of the whole blob."""
        return self.range[1] - self.range[0] if self.range else self.size

    def slice(self, start: int, end: int | None = None) -> DataReference:
        """A reference to a part of this one; offsets are relative to this reference.

        Raises:
            IndexError: the part is not inside this reference
        """
        end = self.length if end is None else end
        if not 0 <= start <= end <= self.length:
            raise IndexError(f"slice({start}, {end}) is not inside the {self.length} bytes of the reference")
        base = self.range[0] if self.range else 0
        return DataReference(self.sha256, self.size, (base + start, base + end))


class _Unfit(Exception):
    """Refusal of a part of a value. Each container around the part puts its key or index in front of ``place``."""

    place = ""


_EXT_REFERENCE, _EXT_ARRAY, _EXT_LANGUAGE, _EXT_BROKEN_TEXT = 1, 2, 3, 4

#: Kinds of typed arrays in the order of shared/wire/value-forms.ts: NumPy's kind and item size, memoryview's format.
_ARRAY_KINDS: list[tuple[str, str | None]] = [
    ("i1", "b"),
    ("u1", "B"),
    ("i2", "h"),
    ("u2", "H"),
    ("i4", "i"),
    ("u4", "I"),
    ("f4", "f"),
    ("f8", "d"),
    ("i8", "q"),
    ("u8", "Q"),
    ("f2", None),
]
#: Their names in JavaScript.
_ARRAY_NAMES = ["Int8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array"]
_ARRAY_NAMES += ["Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array", "Float16Array"]
#: Position by kind and item size. Unsigned bytes are no typed array but bytes; see :func:`_write_array`.
_ARRAY_PLACES = {kind: place for place, (kind, _) in enumerate(_ARRAY_KINDS)}
_ARRAY_SIZES = [int(kind[1]) for kind, _ in _ARRAY_KINDS]
_FORMAT_KINDS = {"b": "i", "h": "i", "i": "i", "l": "i", "q": "i", "n": "i"}
_FORMAT_KINDS.update({"B": "u", "c": "u", "H": "u", "I": "u", "L": "u", "Q": "u", "N": "u"})
_FORMAT_KINDS.update({"e": "f", "f": "f", "d": "f"})

_DOUBLE = struct.Struct(">Bd").pack
_HEAD16 = struct.Struct(">BH").pack
_HEAD32 = struct.Struct(">BI").pack
_UINT64 = struct.Struct(">BQ").pack
_SIGNED = [(-0x80, struct.Struct(">Bb").pack, 0xD0), (-0x8000, struct.Struct(">Bh").pack, 0xD1)]
_SIGNED += [(-(2**31), struct.Struct(">Bi").pack, 0xD2), (-_MAX_SAFE, struct.Struct(">Bq").pack, 0xD3)]

#: Advice for common objects that are no values.
_HINTS = {
    "datetime": "send value.timestamp() or value.isoformat()",
    "date": "send value.isoformat()",
    "time": "send value.isoformat()",
    "timedelta": "send value.total_seconds()",
    "set": "send sorted(value) or list(value)",
    "frozenset": "send sorted(value) or list(value)",
    "Decimal": "send str(value) or float(value)",
    "Fraction": "send float(value), or its two numbers",
    "complex": "send [value.real, value.imag]",
    "complex64": "send [value.real, value.imag]",
    "complex128": "send [value.real, value.imag]",
    "UUID": "send str(value)",
    "PosixPath": "send str(value), or hands.put(value) for the file's content",
    "WindowsPath": "send str(value), or hands.put(value) for the file's content",
    "generator": "send list(value)",
    "range": "send list(value)",
    "dict_keys": "send list(value)",
    "dict_values": "send list(value)",
    "map": "send list(value)",
    "zip": "send list(value)",
    "OrderedDict": "send dict(value)",
    "defaultdict": "send dict(value)",
    "Counter": "send dict(value)",
    "mappingproxy": "send dict(value)",
    "deque": "send list(value)",
    "datetime64": "send str(value)",
    "longdouble": "send float(value)",
    "float128": "send float(value)",
    "MaskedArray": "send value.filled(…)",
    "DataFrame": "send value.to_dict('list'), or a NumPy array a column",
    "Series": "send value.to_numpy()",
    "Tensor": "send value.numpy()",
}


def _refusal_of(value: Any) -> str:
    kind = type(value)
    name = kind.__name__
    if callable(value) and not isinstance(value, type):
        return f"a {name} is not a value"
    hint = _HINTS.get(name)
    if hint is None and isinstance(value, BaseException):
        hint = "send str(value)"
    elif hint is None and isinstance(value, tuple) and hasattr(value, "_asdict"):
        hint = "send value._asdict() or tuple(value)"
    elif hint is None and isinstance(value, (int, str, float)):
        hint = f"send {'value.value' if hasattr(value, 'value') else kind.__mro__[1].__name__ + '(value)'}"
    elif hint is None and hasattr(kind, "__dataclass_fields__"):
        hint = "send dataclasses.asdict(value)"
    return f"an instance of {name} is not a value{f' ({hint})' if hint else ''}"


def encode_value(value: Any) -> bytearray:
    """The bytes of a value as they travel (MessagePack with Manyhands' extensions).

    Raises:
        PlatformError: UNSERIALISABLE, naming what is no value and its place
    """
    return _encode(value)[0]


def _encode(value: Any) -> tuple[bytearray, dict[str, int]]:
    """Encoded bytes, and the sizes of the blobs that the value refers to, by name."""
    out = bytearray()
    blobs: dict[str, int] = {}
    try:
        _write(out, value, 0, blobs)
        return out, blobs
    except _Unfit as unfit:
        place = unfit.place if len(unfit.place) <= 120 else f"{unfit.place[:120]}…"
        raise PlatformError(
            "UNSERIALISABLE",
            f"The value cannot be sent: {unfit}{f' (at {place})' if place else ''}. "
            "Expected JSON values, bytes, numeric arrays or data references.",
            _UNSERIALISABLE_REMEDY,
            False,
        ) from None


def _write(out: bytearray, value: Any, depth: int, blobs: dict[str, int]) -> None:
    kind = type(value)
    if kind is int:
        if 0 <= value < 0x80:
            out.append(value)
        else:
            _write_int(out, value)
    elif kind is str:
        _write_text(out, value)
    elif kind is float:
        # JavaScript has one kind of number: a whole float has the bytes of its int, as in the SDK.
        if value.is_integer() and -_MAX_SAFE <= value <= _MAX_SAFE and (value or math.copysign(1, value) > 0):
            _write_int(out, int(value))
        else:
            out += _DOUBLE(0xCB, value)
    elif value is None:
        out.append(0xC0)
    elif kind is bool:
        out.append(0xC3 if value else 0xC2)
    elif kind is list or kind is tuple:
        _write_items(out, value, depth, blobs)
    elif kind is dict:
        _write_members(out, value, depth, blobs)
    elif kind is bytes or kind is bytearray:
        _write_bytes(out, value)
    else:
        _write_other(out, value, blobs)


def _write_items(out: bytearray, items: Sequence[Any], depth: int, blobs: dict[str, int]) -> None:
    _refuse_depth(depth)
    count = len(items)
    _write_head(out, count, 0x90, 0xDC)
    at = 0
    try:
        for item in items:
            _write(out, item, depth + 1, blobs)
            at += 1
    except _Unfit as unfit:
        unfit.place = f"[{at}]{unfit.place}"
        raise
    if at != count:
        raise _Unfit("a list that changes while it is sent is not a value (send a copy)")


def _write_members(out: bytearray, members: dict[str, Any], depth: int, blobs: dict[str, int]) -> None:
    _refuse_depth(depth)
    _write_head(out, len(members), 0x80, 0xDE)
    name: Any = ""
    try:
        for name, item in members.items():
            if type(name) is not str:
                raise _Unfit(f"a key that is an instance of {type(name).__name__} is not text (send str(key))")
            _write_text(out, name, is_key=True)
            _write(out, item, depth + 1, blobs)
    except _Unfit as unfit:
        unfit.place = f".{name}{unfit.place}"
        raise
    except RuntimeError:
        raise _Unfit("a dict that changes while it is sent is not a value (send a copy)") from None


def _refuse_depth(depth: int) -> None:
    if depth >= _MAX_DEPTH:
        raise _Unfit(f"a value nested deeper than {_MAX_DEPTH} levels, or one that holds itself, cannot be written")


def _write_int(out: bytearray, value: int) -> None:
    if value >= 0:
        if value < 0x80:
            out.append(value)
        elif value < 0x100:
            out += bytes((0xCC, value))
        elif value < 0x10000:
            out += _HEAD16(0xCD, value)
        elif value < 2**32:
            out += _HEAD32(0xCE, value)
        elif value <= _MAX_SAFE:
            out += _UINT64(0xCF, value)
        else:
            raise _int_refusal(value)
    elif value >= -0x20:
        out.append(value + 0x100)
    else:
        for least, pack, tag in _SIGNED:
            if value >= least:
                out += pack(tag, value)
                return
        raise _int_refusal(value)


def _int_refusal(value: int) -> _Unfit:
    told = str(value) if value.bit_length() <= 128 else f"of {value.bit_length()} bits"
    return _Unfit(f"the int {told} is beyond ±(2^53 - 1) (send a string, float(value), or an array of 64-bit integers)")


def _write_text(out: bytearray, text: str, is_key: bool = False) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # JavaScript's text is UTF-16: two surrogates that stand together are one character there.
        units = text.encode("utf-16-le", "surrogatepass")
        try:
            data = units.decode("utf-16-le").encode()
        except UnicodeDecodeError:
            if is_key:
                raise _Unfit("a key with half a surrogate pair is not text (text with one may be a value)") from None
            _write_extension(out, _EXT_BROKEN_TEXT, units)
            return
    size = len(data)
    if size < 32:
        out.append(0xA0 | size)
    else:
        _write_sized(out, 0xD9, size)
    out += data


def _write_bytes(out: bytearray, data: Any) -> None:
    _write_sized(out, 0xC4, len(data))
    out += data


def _write_head(out: bytearray, count: int, fixed: int, tag: int) -> None:
    if count < 16:
        out.append(fixed | count)
    elif count < 0x10000:
        out += _HEAD16(tag, count)
    else:
        out += _HEAD32(tag + 1, count)


def _write_sized(out: bytearray, tag: int, size: int) -> None:
    """A head whose length field has one, two or four bytes; the tags of the three are consecutive."""
    if size < 0x100:
        out += bytes((tag, size))
    elif size < 0x10000:
        out += _HEAD16(tag + 1, size)
    elif size < 2**32:
        out += _HEAD32(tag + 2, size)
    else:
        raise _Unfit(f"{size} bytes in one piece are too many (put them as a blob)")


def _write_extension(out: bytearray, kind: int, content: Any, first: int | None = None) -> None:
    size = len(content) + (first is not None)
    if size in (1, 2, 4, 8, 16):
        out.append(0xD3 + size.bit_length())
    else:
        _write_sized(out, 0xC7, size)
    out.append(kind)
    if first is not None:
        out.append(first)
    out += content


def _write_other(out: bytearray, value: Any, blobs: dict[str, int]) -> None:
    if value is undefined:
        _write_extension(out, _EXT_LANGUAGE, b"\0")
    elif type(value) is DataReference:
        blobs[value.sha256] = value.size
        content = bytearray()
        _write_items(content, [value.sha256, value.size, *(value.range or ())], 0, {})
        _write_extension(out, _EXT_REFERENCE, content)
    elif not _write_numpy(out, value):
        try:
            view = memoryview(value)
        except TypeError:
            raise _Unfit(_refusal_of(value)) from None
        _write_view(out, view)


def _write_numpy(out: bytearray, value: Any) -> bool:
    """Writes an array or scalar of NumPy. Returns whether the value is one."""
    np = sys.modules.get("numpy")
    if np is None or not isinstance(value, (np.ndarray, np.generic)):
        return False
    dtype = value.dtype
    if isinstance(value, np.generic):
        if dtype.kind in "iub" or (dtype.kind == "f" and dtype.itemsize <= 8) or dtype.kind == "U":
            _write(out, value.item(), 0, {})
            return True
        raise _Unfit(_refusal_of(value))
    if type(value) not in (np.ndarray, np.memmap):
        raise _Unfit(_refusal_of(value))
    if value.ndim != 1:
        raise _Unfit(
            f"an array of {value.ndim} dimensions is not a value "
            '(send {"shape": list(a.shape), "data": a.ravel()}, or hands.put(a))'
        )
    place = _ARRAY_PLACES.get(f"{dtype.kind}{dtype.itemsize}")
    if place is None:
        hint = {
            "b": "send a.astype('uint8')",
            "O": "send a.tolist()",
            "U": "send a.tolist()",
            "M": "send a.astype('f8')",
        }
        told = hint.get(dtype.kind, "convert it to float or integers")
        raise _Unfit(f"an array of {dtype} is not a value ({told})")
    plain = np.ascontiguousarray(value, dtype=dtype.newbyteorder("<")).view(np.uint8)
    _write_array(out, place, plain.data)
    return True


def _write_view(out: bytearray, view: memoryview) -> None:
    format_ = view.format.lstrip("@")
    place = _ARRAY_PLACES.get(f"{_FORMAT_KINDS.get(format_)}{view.itemsize}")
    if view.ndim != 1 or place is None:
        raise _Unfit(f"a buffer of format {view.format!r} and {view.ndim} dimensions is not a value")
    data = view.tobytes()
    if sys.byteorder == "big" and view.itemsize > 1:
        raise _Unfit("typed arrays of this machine's byte order need NumPy to be sent")
    _write_array(out, place, data)


def _write_array(out: bytearray, place: int, data: Any) -> None:
    if _ARRAY_KINDS[place][1] == "B":
        _write_bytes(out, data)
    else:
        _write_extension(out, _EXT_ARRAY, data, place)


@functools.lru_cache(maxsize=None)
def _numpy() -> Any:
    """NumPy, imported when the first typed array arrives; None: NumPy is not installed."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def decode_value(data: Any) -> Any:
    """The value of encoded bytes. Typed arrays are views of ``data``, without a copy.

    Raises:
        ValueError: the bytes are not one value
    """
    reader = _Reader(memoryview(data), is_value=True)
    value = reader.read(0)
    if reader.at != reader.end:
        raise ValueError(f"{reader.end - reader.at} bytes follow behind the value")
    return value


def _from_json(json_: Any) -> Any:
    """Reads the JSON form of a value (shared/wire/value-json.ts). Raises ValueError, KeyError or TypeError for others."""
    if isinstance(json_, list):
        return [_from_json(item) for item in json_]
    if isinstance(json_, int) and not -_MAX_SAFE <= json_ <= _MAX_SAFE:
        return float(json_)
    if not isinstance(json_, dict):
        return json_
    if "$undefined" in json_:
        return undefined
    if "$number" in json_:
        return float(json_["$number"])
    if "$bytes" in json_:
        return b64decode(json_["$bytes"])
    if "$array" in json_:
        place = _ARRAY_NAMES.index(json_["$array"])
        return _Reader(memoryview(b""), True).array(place, memoryview(bytearray(b64decode(json_["base64"]))))
    if "$ref" in json_:
        told = json_["$ref"]
        return DataReference(told["sha256"], told["size"], tuple(told["range"]) if "range" in told else None)
    return {name[1:] if name.startswith("$$") else name: _from_json(item) for name, item in json_.items()}


_UNPACK = {
    0xCA: struct.Struct(">f"),
    0xCB: struct.Struct(">d"),
    0xCC: struct.Struct(">B"),
    0xCD: struct.Struct(">H"),
    0xCE: struct.Struct(">I"),
    0xCF: struct.Struct(">Q"),
    0xD0: struct.Struct(">b"),
    0xD1: struct.Struct(">h"),
    0xD2: struct.Struct(">i"),
    0xD3: struct.Struct(">q"),
}
_LENGTHS = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


class _Reader:
    """Reads MessagePack, and trusts no length in it. Byte arrays become ``bytes`` in values, and views in messages."""

    __slots__ = ("at", "buffer", "end", "is_value")

    def __init__(self, buffer: memoryview, is_value: bool) -> None:
        self.buffer = buffer
        self.end = len(buffer)
        self.at = 0
        self.is_value = is_value

    def read(self, depth: int) -> Any:
        tag = self.buffer[self.take(1)]
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag < 0x90:
            return self.members(tag & 0x0F, depth)
        if tag < 0xA0:
            return self.items(tag & 0x0F, depth)
        if tag < 0xC0:
            return self.text(tag & 0x1F)
        packed = _UNPACK.get(tag)
        if packed is not None:
            number = packed.unpack_from(self.buffer, self.take(packed.size))[0]
            if packed.size == 8 and tag != 0xCB and not -_MAX_SAFE <= number <= _MAX_SAFE:
                raise ValueError("an integer that is beyond ±(2^53 - 1)")
            return number
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if 0xD9 <= tag <= 0xDB:
            return self.text(self.length(1 << (tag - 0xD9)))
        if 0xC4 <= tag <= 0xC6:
            size = self.length(1 << (tag - 0xC4))
            at = self.take(size)
            view = self.buffer[at : at + size]
            return bytes(view) if self.is_value else view
        if tag == 0xDC or tag == 0xDD:
            return self.items(self.length(2 << (tag - 0xDC)), depth)
        if tag == 0xDE or tag == 0xDF:
            return self.members(self.length(2 << (tag - 0xDE)), depth)
        if tag == 0xC1:
            raise ValueError("0xc1 is no MessagePack type")
        return self.extension(self.length(1 << (tag - 0xC7)) if tag < 0xCA else 1 << (tag - 0xD4))

    def take(self, size: int) -> int:
        at = self.at
        if at + size > self.end:
            raise ValueError("a length goes beyond the end of the bytes")
        self.at = at + size
        return at

    def length(self, width: int) -> int:
        return _LENGTHS[width].unpack_from(self.buffer, self.take(width))[0]

    def enter(self, count: int, depth: int) -> None:
        if depth >= _MAX_DEPTH:
            raise ValueError(f"containers nest deeper than {_MAX_DEPTH}")
        # Every element has a byte at least: an announced count costs no more memory than the bytes that are there.
        if count > self.end - self.at:
            raise ValueError("a length goes beyond the end of the bytes")

    def items(self, count: int, depth: int) -> list[Any]:
        self.enter(count, depth)
        items: list[Any] = []
        for _ in range(count):
            items.append(self.read(depth + 1))
        return items

    def members(self, count: int, depth: int) -> dict[str, Any]:
        self.enter(2 * count, depth)
        members: dict[str, Any] = {}
        for _ in range(count):
            name = self.read(depth + 1)
            if type(name) is not str:
                raise ValueError("a key is not text")
            members[name] = self.read(depth + 1)
        return members

    def text(self, size: int) -> str:
        at = self.take(size)
        return str(self.buffer[at : at + size], "utf-8", "replace")

    def extension(self, size: int) -> Any:
        kind = self.buffer[self.take(1)]
        at = self.take(size)
        content = self.buffer[at : at + size]
        if self.is_value:
            if kind == _EXT_ARRAY and size > 0 and content[0] < len(_ARRAY_KINDS):
                return self.array(content[0], content[1:])
            if kind == _EXT_REFERENCE:
                return _read_reference(content)
            if kind == _EXT_LANGUAGE and size == 1 and content[0] == 0:
                return undefined
            if kind == _EXT_BROKEN_TEXT and size % 2 == 0:
                return str(content, "utf-16-le", "surrogatepass")
        raise ValueError(f"an extension of type {kind} that is no value")

    def array(self, place: int, content: memoryview) -> Any:
        (kind, format_), width = _ARRAY_KINDS[place], _ARRAY_SIZES[place]
        if len(content) % width:
            raise ValueError("a typed array with a part of an element")
        np = _numpy()
        if np is not None:
            return np.frombuffer(content, dtype=f"<{kind}") if content else np.empty(0, f"<{kind}")
        if format_ is None or (sys.byteorder == "big" and width > 1):
            raise ValueError("a typed array of a kind that this Python reads with NumPy only")
        return content.cast(format_)  # type: ignore[call-overload]


def _read_reference(content: memoryview) -> DataReference:
    reader = _Reader(content, is_value=False)
    parts = reader.read(0)
    if reader.at != reader.end or not isinstance(parts, list) or len(parts) not in (2, 4):
        raise ValueError("an extension of type 1 that is no value")
    if not all(type(part) is int for part in parts[1:]):
        raise ValueError("an extension of type 1 that is no value")
    return DataReference(parts[0], parts[1], (parts[2], parts[3]) if len(parts) == 4 else None)


# ---------------------------------------------------------------------------------------------------------------------
# Addresses and tokens

_GRAMMAR = """  dc:HOST[:PORT]       a server and whoever computes for it (port 9990 unless said otherwise)
  http(s)://HOST:PORT  the same, by its address; HOST:PORT too. Several servers of the same data: their addresses
                       with http(s)://, separated by commas
  …:key=value          options: priority=N, name=TEXT, token=TOKEN. Parts may be named as well:
                       dc:host=HOST:port=PORT. An IPv6 host stands in brackets; a colon inside a value is written \\:
  (thread:N and mpi:N:SCRATCH are for programs with the SDK in TypeScript and JavaScript.)"""

_ONE_ADDRESS = r"\s*https?://(?:\[[^\]]*\]|[^/:?#,]*)(?::\d+)?(?:/[^:,]*)?"
_ADDRESSES = re.compile(f"{_ONE_ADDRESS}(?:,{_ONE_ADDRESS})*", re.IGNORECASE)
_HOST_AND_PORT = re.compile(r"(?!(dc|thread|mpi):)(\[[^\]]*\]|[\w.-]+):\d{3,5}(:\w+=|$)")
_MOST_SERVERS = 16
_PART = re.compile(r"(?:([A-Za-z]\w*)=)?(\[[^\]]*\](?=:|$)|(?:\\.|[^:\\]|\\$)*)(:|$)")


@dataclass(frozen=True)
class _Spec:
    url: str
    options: dict[str, str]


def _parse_spec(text: str) -> _Spec:
    """Reads a ``--parallel`` string as the SDK does.

    Raises:
        PlatformError: BAD_OPTION, pointing at the character
    """
    text = text.rstrip()
    begin = len(text) - len(text.lstrip())

    def refuse(at: int, what: str) -> PlatformError:
        return PlatformError(
            "BAD_OPTION",
            f"The place to compute, at character {at + 1}: {what}.\n  {text}\n  {' ' * at}^\n"
            f"Expected one of\n{_GRAMMAR}\n",
        )

    addresses = _ADDRESSES.match(text)
    if addresses:
        url, at = addresses[0].strip(), len(addresses[0].rstrip())
        if at < len(text) and text[at] != ":":
            raise refuse(at, "expected the end, or options behind a colon")
        parts = _split_parts(text, at + 1) if at < len(text) else []
        return _Spec(url, _shared_options(parts, refuse))
    parts = _split_parts(text, begin)
    if not _HOST_AND_PORT.match(text.strip()):
        kind = parts.pop(0)[1]
        if kind in ("thread", "mpi"):
            raise refuse(
                begin,
                f"{kind} starts sandboxes in the process of a Node program, which Python has none of; "
                "start `manyhands server` and `manyhands client` and give the server's address",
            )
        if kind != "dc":
            raise refuse(begin, "expected dc or the address of a server")
    host = _take_part(parts, "host")
    if not host or not re.fullmatch(r"\[[0-9a-fA-F:.]+\]|[^\[\]\s/@?#]+", host[1]):
        raise refuse(host[2] if host else len(text), "expected the host of a server: dc:HOST:PORT")
    port = _take_part(parts, "port")
    if port and not (port[1].isascii() and port[1].isdigit() and 1 <= int(port[1]) <= 65_535):
        raise refuse(port[2], "expected a whole number from 1 to 65535")
    return _Spec(f"http://{host[1]}:{int(port[1]) if port else 9990}", _shared_options(parts, refuse))


_Part = tuple[Union[str, None], str, int]


def _split_parts(text: str, start: int) -> list[_Part]:
    parts: list[_Part] = []
    at = start
    while True:
        match = _PART.match(text, at)
        if not match:
            return parts
        at = match.end()
        parts.append((match[1], re.sub(r"\\([:\\])", r"\1", match[2]), match.start(2)))
        if match[3] != ":":
            return parts


def _take_part(parts: list[_Part], key: str) -> _Part | None:
    """Takes the next part when it has no name, else the part of this name."""
    if parts and parts[0][0] is None:
        return parts.pop(0)
    for place, part in enumerate(parts):
        if part[0] == key:
            return parts.pop(place)
    return None


def _shared_options(parts: list[_Part], refuse: Callable[[int, str], PlatformError]) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value, at in parts:
        if key is None:
            raise refuse(at, "expected the end, or key=value")
        if key not in ("priority", "name", "token", "cache") or key in options:
            told = "stands there twice" if key in options else "is no option here"
            raise refuse(at - len(key) - 1, f'"{key}" {told}')
        if key == "priority" and not re.fullmatch(r"-?\d{1,4}", value):
            raise refuse(at, "expected a whole number from -1000 to 1000")
        options[key] = value
    return options


def _server_address(text: str) -> str:
    """The address with a slash at its end, so that the paths of the interface are relative to it."""
    trimmed = text.strip()
    address = trimmed if re.match(r"[a-z][a-z0-9+.-]*://", trimmed, re.IGNORECASE) else f"http://{trimmed}"
    try:
        url = urllib.parse.urlsplit(address)
        if url.scheme not in ("http", "https") or not url.hostname or url.username is not None:
            raise ValueError
        host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
        port = f":{url.port}" if url.port else ""
        return f"{url.scheme}://{host}{port}{url.path.rstrip('/')}/"
    except ValueError:
        raise PlatformError(
            "BAD_ARGUMENT",
            f'"{text}" is no server address; expected http://host:9990, https://host, host:9990, or one with the path '
            "of a proxy.",
        ) from None


def _server_addresses(text: str) -> list[str]:
    """Each address of a list, which commas separate, once."""
    addresses = list(dict.fromkeys(map(_server_address, text.split(","))))
    if len(addresses) > _MOST_SERVERS:
        raise PlatformError("BAD_ARGUMENT", f"{len(addresses)} addresses; expected at most {_MOST_SERVERS}.")
    return addresses


def _local_token(urls: Iterable[str]) -> str | None:
    """The token of the first of these servers that runs on this machine; None: there is none."""
    return next((token for token in map(_local_token_of, urls) if token), None)


def _local_token_of(url: str) -> str | None:
    """The token that a server on this machine left for its user (mode 0600); None: there is none."""
    parts = urllib.parse.urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    try:
        server = json.loads((Path(state) / "manyhands" / "servers" / f"local_{port}.json").read_text("utf-8"))
        origin = f"{parts.scheme}://{parts.netloc}"
        is_here = parts.hostname in _LOCAL_NAMES or server["url"] == origin
        return str(server["token"]) if is_here else None
    except (OSError, ValueError, LookupError, TypeError):
        # Without a readable file the server refuses, and the refusal says how to give a token.
        return None


def _clean_token(text: str | None) -> str | None:
    """The token for a request's header. Tokens in files and variables often end with a line break."""
    token = (text or "").strip()
    if token and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise PlatformError(
            "BAD_ARGUMENT",
            "The token holds a blank, a line break or a letter that no token has; expected one word such as mh_c_….",
        )
    return token or None


# ---------------------------------------------------------------------------------------------------------------------
# HTTP

_FIRST_PAUSE, _LONGEST_PAUSE, _PAUSE_GROWTH = 0.15, 5.0, 1.5
#: Attempts before a refusal counts as final, for retryable codes that time alone seldom mends.
_ATTEMPTS = {"INTERNAL": 5, "HASH_MISMATCH": 3, "UNKNOWN_BLOB": 1, "UNKNOWN_KERNEL": 1}
#: An outage of this many seconds is reported.
_REPORTED_OUTAGE = 10.0
#: Bytes a second that the server's disk flushes at least.
_FLUSHED_BYTES = 50_000_000
_FAILURES = (OSError, http.client.HTTPException)
#: Refusals after which another server may answer.
_AWAY = frozenset(("UNREACHABLE", "TIMED_OUT", "SHUTTING_DOWN"))


def _pause(attempt: int) -> float:
    """Seconds before retry number ``attempt`` (from 0): exponential with full jitter."""
    return random.random() * min(_LONGEST_PAUSE, _FIRST_PAUSE * _PAUSE_GROWTH**attempt)


class _Stop:
    """A signal that ends waits: the first error, which waits raise, and connections, which it cuts."""

    def __init__(self, news: threading.Condition, parent: _Stop | None = None) -> None:
        self._news = news
        self._parent = parent
        self._error: BaseException | None = None
        self._connections: set[http.client.HTTPConnection] = set()

    @property
    def error(self) -> BaseException | None:
        return self._error or (self._parent.error if self._parent else None)

    def check(self) -> None:
        error = self.error
        if error is not None:
            raise error

    def set(self, error: BaseException) -> None:
        with self._news:
            self._error = self._error or error
            connections = list(self._connections)
            self._news.notify_all()
        for connection in connections:
            _cut(connection)

    def watch(self, connection: http.client.HTTPConnection) -> None:
        """Registers a connection, which :meth:`set` cuts. Raises the error when there is one already."""
        with self._news:
            self._connections.add(connection)
        if self._parent:
            self._parent.watch(connection)
        self.check()

    def forget(self, connection: http.client.HTTPConnection) -> None:
        with self._news:
            self._connections.discard(connection)
        if self._parent:
            self._parent.forget(connection)


def _cut(connection: http.client.HTTPConnection) -> None:
    """Ends a read of this connection in another thread; closing the socket would not wake that thread."""
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            # The method of TLS sockets would let the other thread read on without TLS.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


@dataclass
class _Request:
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] | None = None
    #: Extra seconds for the server's work on the body.
    work: float = 0.0
    #: Seconds that the request is repeated; None: the connection's patience.
    patience: float | None = None
    stop: _Stop | None = None
    #: Whether the server may say where the bytes are instead of sending them.
    is_blob: bool = False
    #: Whether body and reply travel compressed where that pays.
    may_shrink: bool = False


class _Reply(NamedTuple):
    status: int
    headers: Any
    body: bytes


#: A connection, its reply, and the scheme and address of its server.
_Exchanged = tuple[http.client.HTTPConnection, http.client.HTTPResponse, tuple[str, str]]

#: Time for which blobs are fetched from the server after a fetch from where it said has failed.
_INDIRECT_SECONDS = 600.0
#: An answer that came so quickly came over a network that is hardly slower than compression.
_NEAR_SECONDS = 0.01
#: The same for names of this machine: it may be busy, and only what is far away at the other end of a tunnel takes longer.
_LOCAL_SECONDS = 0.05
_LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))
#: Status of a server that takes no compressed body.
_UNSUPPORTED = 415
#: Smaller bodies cost more time than their bytes.
_LEAST_COMPRESSED_BYTES = 8 * 1024
#: Larger parts of files are not read into memory for it.
_MOST_COMPRESSED_FILE = 16 * 1024**2


class _Http:
    """Requests to a server, or to one of several that share their data.

    Every request is idempotent, so each is repeated with back-off when its reply is lost, at the next server if there is one.
    """

    def __init__(
        self,
        urls: list[str],
        find_token: Callable[[str], str | None],
        patience: float,
        silence: float,
        log: Callable[[str], None],
    ) -> None:
        #: Addresses, with the present one first; replaced as a whole.
        self._urls = urls
        self._tls: ssl.SSLContext | None = None
        self._find_token = find_token
        self._token = find_token(urls[0])
        self._patience = patience
        self._silence = silence
        self.log = log
        #: Notified of everything that a thread of this connection may wait for.
        self.news = threading.Condition()
        self.stop = _Stop(self.news)
        #: Kept connections by scheme and address of their server.
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        #: Large uploads under way; three use a link of 150 ms as well as more would.
        self.uploads = threading.BoundedSemaphore(3)
        #: Bytes a second that the pieces of late took; the first piece has 256 KiB.
        self.upload_rate = 64_000.0
        #: Until then blobs are fetched from the server, by the monotonic clock.
        self._indirect_until = 0.0
        #: Seconds of the quickest answer so far.
        self._quickest = math.inf
        #: Addresses of servers that said that they take compressed inputs.
        self._taking: set[str] = set()
        self._away_since: float | None = None
        self._away_told = False
        self._returns = 0

    @property
    def url(self) -> str:
        """Address of the server that requests go to now."""
        return self._urls[0]

    def _turn_from(self, url: str) -> None:
        """Turns to the next address, unless another request has done so."""
        with self.news:
            if self._urls[0] != url or len(self._urls) == 1:
                return
            self._urls = [*self._urls[1:], url]
        self._drop_idle()

    def close(self) -> None:
        self.stop.set(PlatformError("WRONG_STATE", "The connection was closed with hands.close()."))
        self._drop_idle()

    def ask(self, method: str, path: str, json_body: Any = None, **more: Any) -> Any:
        """Sends a request and reads the JSON of its reply."""
        headers = {"accept": "application/json", **more.pop("headers", {})}
        body = more.pop("body", None)
        if json_body is not None:
            body = json.dumps(json_body).encode()
            headers["content-type"] = "application/json"
        reply = self.request(_Request(method, path, body, headers, **more))
        try:
            return json.loads(reply.body) if reply.body else None
        except ValueError:
            message = f"What answers at {self.url} is no Manyhands server: its reply is not JSON."
            raise PlatformError("NOT_FOUND", message, _SERVER_HINT) from None

    def request(self, request: _Request) -> _Reply:
        """Sends a request and reads its whole reply; both are repeated together."""

        def attempt(silence: float, is_repeat: bool) -> _Reply:
            try:
                with self._attempt(request, silence) as response:
                    return _Reply(response.status, response.headers, response.read())
            except PlatformError as error:
                # The attempt whose reply was lost has deleted the resource.
                if request.method == "DELETE" and is_repeat and error.code == "NOT_FOUND":
                    return _Reply(204, {}, b"")
                raise

        return self._persist(request, attempt)

    @contextlib.contextmanager
    def open(self, request: _Request) -> Generator[http.client.HTTPResponse, None, None]:
        """Opens a streamed reply. The caller handles a broken connection (``_FAILURES``) itself."""
        opened: list[contextlib.AbstractContextManager[http.client.HTTPResponse]] = []

        def attempt(silence: float, _is_repeat: bool) -> http.client.HTTPResponse:
            opened[:] = [self._attempt(request, silence, is_streamed=True)]
            return opened[0].__enter__()

        response = self._persist(request, attempt)
        try:
            yield response
        finally:
            opened[0].__exit__(None, None, None)

    def repeat(self, work: Callable[[], Any], reached: Callable[[], int], stop: _Stop | None) -> Any:
        """Repeats several requests without patience of their own. ``reached``: how far they have come."""
        return self._persist(_Request("", "", stop=stop), lambda _silence, _is_repeat: work(), reached)

    def _persist(
        self, request: _Request, attempt: Callable[[float, bool], Any], reached: Callable[[], int] = int
    ) -> Any:
        stop, furthest = request.stop or self.stop, 0
        patience = self._patience if request.patience is None else request.patience
        slowness, attempts, failed_at, is_repeat = 1, 0, None, False
        while True:
            stop.check()
            silence = self._silence * slowness
            try:
                # Every address has its part of the patience.
                most_silence = patience / len(self._urls) if patience > 0 else math.inf
                reply = attempt(min(silence, most_silence) + request.work, is_repeat)
                self._succeeded()
                return reply
            except PlatformError as error:
                stop.check()
                if not error.retryable:
                    raise
                if reached() > furthest:
                    # An upload whose offset grows is never given up: patience and back-off start afresh.
                    furthest, attempts, failed_at = reached(), 0, None
                attempts += 1
                is_repeat = True
                slowness = min(4, slowness * 2) if error.code == "TIMED_OUT" else 1
                most = _ATTEMPTS.get(error.code)
                if most is None:
                    self._failed(error)
                now = time.monotonic()
                failed_at = failed_at or now
                pause = max(_pause(attempts - 1), error.retry_after)
                if (most is not None and attempts >= most) or pause > patience - (now - failed_at):
                    raise
                is_away = most is None and not error.retry_after
            # Another request that succeeds ends the pause, and the back-off starts afresh.
            if self.sleep(pause, stop, until_return=is_away):
                attempts = 0

    def sleep(self, seconds: float, stop: _Stop, until_return: bool = False) -> bool:
        """Waits. Returns whether the server has come back meanwhile. Raises the error of ``stop``."""
        with self.news:
            returns = self._returns

            def is_over() -> bool:
                return stop.error is not None or (until_return and self._returns != returns)

            self.news.wait_for(is_over, seconds)
            stop.check()
            return until_return and self._returns != returns

    @contextlib.contextmanager
    def _attempt(
        self, request: _Request, silence: float, is_streamed: bool = False
    ) -> Generator[http.client.HTTPResponse, None, None]:
        """Sends a request once. A connection whose reply was read whole is kept for the next request."""
        stop = request.stop or self.stop
        token, url = self._token, self.url
        exchanged = self._exchange_directly(request, url, silence, token, stop) if request.is_blob else None
        connection, response, place = exchanged or self._exchange(request, url, silence, token, stop)
        try:
            if response.status >= 300:
                raise self._refused(response, url, token)
            yield response
        except _FAILURES as error:
            if is_streamed:
                raise
            raise self._lost(error, url) from error
        finally:
            self._release(connection, response, place, stop)

    def _release(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        place: tuple[str, str],
        stop: _Stop,
    ) -> None:
        stop.forget(connection)
        if response.isclosed() and not response.will_close and self.stop.error is None:
            with self.news:
                self._idle.setdefault(place, []).append(connection)
        else:
            connection.close()

    def _exchange_directly(
        self, request: _Request, url: str, silence: float, token: str | None, stop: _Stop
    ) -> _Exchanged | None:
        """Gets a blob from where the server says. None: the server has to send it, because it cannot be fetched there."""
        if time.monotonic() < self._indirect_until:
            return None
        asked = replace(request, path=f"{request.path}?direct=1")
        connection, response, place = self._exchange(asked, url, silence, token, stop)
        if response.status != 307:
            return connection, response, place
        location = response.headers["location"]
        try:
            response.read()
        except _FAILURES as error:
            raise self._lost(error, url) from error
        finally:
            self._release(connection, response, place, stop)
        try:
            # The token is for the server alone.
            found = self._exchange(request, location, silence, None, stop, is_elsewhere=True)
        except PlatformError:
            stop.check()
        else:
            if found[1].status < 300:
                return found
            stop.forget(found[0])
            found[0].close()
        self._indirect_until = time.monotonic() + _INDIRECT_SECONDS
        return None

    def _refused(self, response: http.client.HTTPResponse, url: str, token: str | None) -> PlatformError:
        try:
            refusal = _refusal(response.status, response.headers, response.read())
        except _FAILURES as error:
            return self._lost(error, url)
        if refusal.code in _AWAY:
            self._turn_from(url)
        if refusal.code == "UNAUTHENTICATED":
            # A restarted server may have left a new token.
            self._token = self._find_token(url)
            if self._token != token:
                return PlatformError("UNREACHABLE", refusal.message, refusal.remedy, True)
        return refusal

    def _exchange(
        self,
        request: _Request,
        url: str,
        silence: float,
        token: str | None,
        stop: _Stop,
        is_elsewhere: bool = False,
    ) -> _Exchanged:
        """Sends a request to a server, or to a whole address elsewhere."""
        headers = {"user-agent": f"manyhands-python/{__version__}", **(request.headers or {})}
        compressed = self._compressed(request.body, headers, url) if request.may_shrink else None
        if token:
            headers["authorization"] = f"Bearer {token}"
        parts = urllib.parse.urlsplit(url)
        path = f"{parts.path}?{parts.query}" if is_elsewhere else parts.path + request.path
        place = (parts.scheme, parts.netloc)
        while True:
            connection, is_kept = self._connection(parts, silence)
            try:
                stop.watch(connection)
                if connection.sock is None:
                    connection.connect()
                    stop.check()
                connection.sock.settimeout(silence)
                body = compressed or request.body
                if hasattr(body, "seek"):
                    body.seek(0)
                begun = time.monotonic()
                try:
                    connection.request(request.method, path, body, headers)
                except (BrokenPipeError, ConnectionResetError):
                    # A server that refuses a long body answers before the body's end.
                    if request.body is None:
                        raise
                response = connection.getresponse()
                self._quickest = min(self._quickest, time.monotonic() - begun)
                if "gzip" in response.headers.get("accept-encoding", ""):
                    self._taking.add(url)
                if compressed is None or response.status != _UNSUPPORTED:
                    return connection, response, place
            except BaseException as error:
                stop.forget(connection)
                connection.close()
                stop.check()
                # The server closed the idle connection. Without patience the caller repeats the request otherwise.
                if is_kept and request.patience != 0 and isinstance(error, (ConnectionError, http.client.BadStatusLine)):
                    self._drop_idle()
                    continue
                if isinstance(error, _FAILURES):
                    raise self._lost(error, url) from error
                raise
            # Behind a balancer the address may be that of an older server now.
            stop.forget(connection)
            connection.close()
            return self._exchange(replace(request, may_shrink=False), url, silence, token, stop, is_elsewhere)

    def _compressed(self, body: Any, headers: dict[str, str], url: str) -> bytes | None:
        """The body to send instead, or None; ``headers`` then say so. Without a body they ask for a compressed reply."""
        is_local = urllib.parse.urlsplit(url).hostname in _LOCAL_NAMES
        if self._quickest <= (_LOCAL_SECONDS if is_local else _NEAR_SECONDS):
            return None
        if body is None:
            headers["accept-encoding"] = "gzip"
        if body is None or url not in self._taking:
            return None
        data = body.content() if isinstance(body, _Stretch) else body
        if len(data) < _LEAST_COMPRESSED_BYTES or not _shrinks(data):
            return None
        data = gzip.compress(data, 1)
        headers["content-encoding"] = "gzip"
        if "content-length" in headers:
            headers["content-length"] = str(len(data))
        return data

    def _connection(
        self, parts: urllib.parse.SplitResult, silence: float
    ) -> tuple[http.client.HTTPConnection, bool]:
        with self.news:
            idle = self._idle.get((parts.scheme, parts.netloc))
            if idle:
                return idle.pop(), True
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            self._tls = self._tls or ssl.create_default_context()
            secure = http.client.HTTPSConnection(host, port, timeout=silence, context=self._tls, blocksize=1 << 18)
            return secure, False
        return http.client.HTTPConnection(host, port, timeout=silence, blocksize=1 << 18), False

    def _drop_idle(self) -> None:
        with self.news:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.close()

    def _lost(self, error: BaseException, url: str) -> PlatformError:
        # Kept connections may be dead as well.
        self._drop_idle()
        self._turn_from(url)
        if isinstance(error, PlatformError):
            return error
        if isinstance(error, (socket.timeout, TimeoutError)):
            return PlatformError("TIMED_OUT", f"No answer from {url} in time.")
        reason = str(error) or type(error).__name__
        return PlatformError("UNREACHABLE", f"No answer from {url} ({reason}).")

    def _failed(self, error: PlatformError) -> None:
        with self.news:
            now = time.monotonic()
            self._away_since = self._away_since or now
            if self._away_told or now - self._away_since < _REPORTED_OUTAGE:
                return
            self._away_told = True
        self.log(f"manyhands: no success at {self.url} for 10 s, still trying: {error.message} {error.remedy}")

    def _succeeded(self) -> None:
        if self._away_since is None:
            return
        with self.news:
            since, told = self._away_since, self._away_told
            self._away_since, self._away_told = None, False
            self._returns += 1
            self.news.notify_all()
        if told and since is not None:
            self.log(f"manyhands: {self.url} answers again after {time.monotonic() - since:.0f} s.")


def _shrinks(data: bytes) -> bool:
    """Whether compression pays, by a sample from the middle."""
    size = _LEAST_COMPRESSED_BYTES // 2
    middle = (len(data) - size) // 2
    return len(zlib.compress(data[middle : middle + size], 1)) < 0.8 * size


class _Inflated(io.RawIOBase):
    """The bytes of a reply that came compressed, while they come."""

    def __init__(self, reply: http.client.HTTPResponse) -> None:
        self._reply = reply
        self._inflater = zlib.decompressobj(wbits=31)
        #: Whether inflated bytes may be left for which there was no room.
        self._is_full = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._inflater.eof:
            data = self._inflater.unconsumed_tail
            if not data and not self._is_full:
                data = self._reply.read1(1 << 16)
                if not data:
                    raise http.client.IncompleteRead(b"")
            try:
                piece = self._inflater.decompress(data, len(buffer))
            except zlib.error as error:
                raise http.client.HTTPException(f"The reply is no whole gzip: {error}.") from error
            self._is_full = len(piece) == len(buffer)
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
        # The reply is closed when it was read to its end.
        while self._reply.read1(1 << 16):
            pass
        return 0


class _Whole(io.RawIOBase):
    """The bytes of a reply while they come. Lines and frames of the reply itself just end when it is cut between two chunks."""

    def __init__(self, reply: http.client.HTTPResponse) -> None:
        self._reply = reply

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._reply.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _plain(reply: http.client.HTTPResponse) -> io.BufferedReader:
    """The bytes of a reply, inflated when it came compressed. Raises one of ``_FAILURES`` where it is cut."""
    is_compressed = reply.headers.get("content-encoding") == "gzip"
    return io.BufferedReader(_Inflated(reply) if is_compressed else _Whole(reply), _CHUNK_BYTES)


def _refusal(status: int, headers: Any, body: bytes) -> PlatformError:
    """The refusal of a reply; its body need not be of Manyhands but may be of a proxy, or of another program."""
    try:
        told = json.loads(body)
        error = PlatformError(
            str(told["code"]), str(told["message"]), told.get("remedy"), bool(told.get("retryable", status >= 500))
        )
    except (ValueError, LookupError, TypeError):
        text = body.decode("utf-8", "replace")[:200]
        message = f"The server answered with HTTP status {status}{f': {text}' if text else ''}."
        code = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND", 413: "TOO_LARGE"}.get(status)
        code = code or {416: "RANGE_NOT_SATISFIABLE", 429: "TOO_MANY"}.get(status)
        code = code or ("UNREACHABLE" if status in (502, 503, 504) else "INTERNAL" if status >= 500 else "BAD_REQUEST")
        error = PlatformError(code, message, _SERVER_HINT if code in ("NOT_FOUND", "BAD_REQUEST") else None)
    with contextlib.suppress(TypeError, ValueError):
        error.retry_after = max(0.0, float(headers.get("retry-after")))
    return error


# ---------------------------------------------------------------------------------------------------------------------
# Kernels

#: A text with such an end is the path of a module, except for functions: ``event => event.ts``.
_MODULE_NAME = re.compile(r"(?!.*=>|(?:async\s+)?function\b)[^\n\r]+\.(?:js|mjs|cjs|ts|mts|tsx|jsx)")
_WASM_IMPORT = re.compile(
    r"""^[ \t]*import\s+([A-Za-z_$][\w$]*)\s+from\s+["'](\.{1,2}/[^"'\n]+\.wasm)["'][ \t]*;?""", re.MULTILINE
)
_IMPORT = re.compile(
    r"""^[ \t]*(?:import\b(?!\s*[.(])[^;]*?|export\b[^;"']*?\bfrom\s*)["']([^"'\n]+)["']"""
    r"""|\bimport\s*\(\s*["']?([^"')\n]*)""",
    re.MULTILINE,
)
_STATEMENT = r"(?:^|[;}])[ \t]*"
_DEFAULT_EXPORT = re.compile(_STATEMENT + r"export\s*(?:default\b|\{[^}]*\bas\s+default\b)", re.MULTILINE)
_EXPORT = re.compile(r"^[ \t]*export\b", re.MULTILINE)
_EXPORT_LIST = re.compile(f"({_STATEMENT})" + r"export\s*\{([^}]*)\}[ \t]*;?", re.MULTILINE)
_EXPORTED = re.compile(f"({_STATEMENT})" + r"export\s+(?=(?:async|function|const|let|var|class)\b)", re.MULTILINE)


def _bad(message: str) -> PlatformError:
    return PlatformError("BAD_ARGUMENT", message)


def _kernel_of(kernel: Any) -> tuple[str, str]:
    """The source of a kernel in JavaScript as an ES module, and the name of its jobs."""
    if isinstance(kernel, str) and not _MODULE_NAME.fullmatch(kernel.strip()):
        return _module_of_text(kernel)
    if isinstance(kernel, (str, os.PathLike)):
        path = Path(kernel.strip() if isinstance(kernel, str) else kernel)
        return _module_of_file(path), path.stem or "job"
    raise _bad(
        f"The kernel is a {type(kernel).__name__}; expected a function, the text of a JavaScript function, or the path "
        "of a JavaScript module."
    )


def _code_of(kernel: Any, on: str | None = None) -> tuple[_Code, str]:
    """As :func:`_kernel_of`, also for programs, commands and functions in Python."""
    is_function = _is_python(kernel)
    if on is not None and not is_function and not isinstance(kernel, _PythonFunction):
        raise _bad("on= names the Python that computes a function in Python, and the kernel is none.")
    if isinstance(kernel, Command):
        return kernel, kernel.name
    if isinstance(kernel, Program):
        return _ProgramCode(kernel, "export default manyhandsKernel;\n"), kernel.name.removesuffix(".wasm")
    if isinstance(kernel, (_PythonFunction, _ProgramCode)):
        return kernel, kernel.name
    if is_function:
        function = _python_function(kernel, on)
        return function, function.name
    return _kernel_of(kernel)


def _module_of_text(text: str) -> tuple[str, str]:
    source = text.strip()
    if not source:
        raise _bad("The kernel is an empty text; expected a JavaScript function such as x => x * x.")
    if _DEFAULT_EXPORT.search(source):
        return _without_imports(text, "The kernel", Path()), "job"
    if _EXPORT.search(source):
        raise _bad("The kernel is a module without a default export; expected `export default (input, ctx) => …`.")
    named = re.match(r"(?:async\s+)?function\s+([A-Za-z_$][\w$]*)", source)
    return f"export default {_expression_of(text)};\n", named[1] if named else "job"


def _expression_of(function: str) -> str:
    source = function.strip().rstrip(";").rstrip()
    # A comment in the last line would hide the bracket.
    end = "\n" if "//" in source.rsplit("\n", 1)[-1] else ""
    return f"({source}{end})"


def _with_arguments(source: _Code) -> Any:
    """The code of a kernel of several arguments as that of a kernel whose input is their list, as the SDK makes it."""
    if isinstance(source, (_ProgramCode, Command)):
        # A program takes a list as it is.
        return source
    if isinstance(source, _PythonFunction):
        return replace(source, spread=True)
    rest, name = _without_default(source)
    return f"{rest.rstrip()}\nexport default (args, ctx) => {name}(...args, ctx);\n"


def _without_default(source: str) -> tuple[str, str]:
    """A module without its default export, and the name that what was exported has in it."""
    found = _DEFAULT_EXPORT.search(source)
    assert found
    before, rest = source[: found.start()], source[found.end() :]
    named = re.search(r"([^\s,{]+)\s+as\s+default$", found.group())
    if named:
        return f"{before}{found.group()[: named.start()]}{rest.lstrip().removeprefix(',')}", named[1]
    before += found.group()[: found.group().index("export")]
    name = "manyhandsKernel"
    declared = re.match(r"\s*(?:async\s+)?function\s*(?:\s([A-Za-z_$][\w$]*))?\s*(?=\()", rest)
    if declared and declared[1]:
        name = declared[1]
    elif declared:
        rest = f"{declared.group()} {name}{rest[declared.end():]}"
    else:
        rest = f"const {name} ={rest}"
    return before + rest, name


def _module_of_file(path: Path) -> str:
    try:
        source = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError("FILE_FAILED", f"The kernel module {path} cannot be read: {error}.") from error
    if path.suffix not in (".js", ".mjs"):
        raise _bad(
            f"The kernel module {path} is not JavaScript; bundle it first: "
            f"npx manyhands bundle {path} --out {path.with_suffix('.js')}."
        )
    if not _DEFAULT_EXPORT.search(source):
        raise _bad(f"The kernel module {path} has no default export; expected `export default (input, ctx) => …`.")
    return _without_imports(source, f"The kernel module {path}", path.parent)


def _without_imports(source: str, what: str, folder: Path) -> str:
    """The source with the bytes of imported WebAssembly in place of the imports, as the SDK bundles it."""

    def embed(match: re.Match[str]) -> str:
        path = folder / match[2]
        try:
            text = b64encode(path.read_bytes()).decode()
        except OSError as error:
            raise PlatformError("FILE_FAILED", f"{what} imports {match[2]}, which cannot be read: {error}.") from error
        return f'const {match[1]} = Uint8Array.from(atob("{text}"), (character) => character.charCodeAt(0));'

    embedded = _WASM_IMPORT.sub(embed, source)
    other = _IMPORT.search(embedded)
    if other:
        raise _bad(
            f"{what} imports {(other[1] or other[2] or 'something').strip()}, and a kernel is one module; bundle it "
            "first: npx manyhands bundle kernel.js --out bundled.js. (A .wasm file beside it may be imported as it is.)"
        )
    return embedded


# ---------------------------------------------------------------------------------------------------------------------
# Kernels of programs that were compiled to WASI

#: Content up to this size travels in the kernel, larger content as a blob, which is fetched once a machine.
_EMBEDDED_BYTES = 1024 * 1024
#: Start of a program's clock: 2000-01-01, in milliseconds.
_PROGRAM_START = 946_684_800_000
#: Memory of a task in MiB, when its job says nothing.
_MEMORY_MB = 512
_PAGE_BYTES = 65_536

#: The functions of WASI preview 1.
_WASI_CALLS = frozenset(
    """
    args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get fd_advise fd_allocate fd_close
    fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size
    fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get fd_pwrite fd_read fd_readdir fd_renumber fd_seek
    fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open
    path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise
    random_get sched_yield sock_accept sock_recv sock_send sock_shutdown
    """.split()
)


class _Contents:
    """Contents of a program's files, and the sizes of the blobs among them.

    Args:
        put: stores data on the server
        refusal: why tasks cannot name blobs; all contents are small then, or travel in the kernel
    """

    def __init__(self, put: Callable[[Any], DataReference], refusal: str | None = None) -> None:
        self.refs: dict[str, int] = {}
        self._put = put
        self._refusal = refusal

    def of(self, source: Any) -> dict[str, Any]:
        if isinstance(source, DataReference):
            if source.range:
                raise _bad("A file of a program is a slice of a blob; expected a whole blob.")
            if self._refusal:
                raise _bad(self._refusal)
        else:
            data = _content_of(source)
            if self._refusal or len(data) <= _EMBEDDED_BYTES:
                return {"base64": b64encode(data).decode()}
            source = self._put(data)
        self.refs[source.sha256] = source.size
        return {"sha256": source.sha256, "size": source.size}


class Program:
    """A program that was compiled to WASI, as a kernel. Made by :func:`program`."""

    def __init__(
        self,
        source: Any,
        args: Sequence[str],
        env: dict[str, str],
        stdin: Any,
        files: dict[str, Any],
        output: Any,
        exit_codes: Sequence[int],
        time_ms: int,
    ) -> None:
        self.name = Path(source).name if isinstance(source, (str, os.PathLike)) else "program.wasm"
        self._source = source
        self._args = list(args)
        self._env = dict(env)
        self._stdin = stdin
        self._files = dict(files)
        self._output = output
        self._exit_codes = list(exit_codes)
        self._time_ms = time_ms

    def _check(self, memory_bytes: int) -> None:
        """Refuses what is no program. A module that is a blob already is not looked at."""
        if not isinstance(self._source, DataReference):
            _check_wasi(self.name, _content_of(self._source), memory_bytes)

    def _definition(
        self, memory_bytes: int, may_refer: bool, put: Callable[[Any], DataReference]
    ) -> tuple[dict[str, Any], dict[str, int]]:
        """What the kernel holds, in the order of customer/wasi/kernel.ts, and the sizes of the blobs that it names."""
        refusal = None if may_refer else (
            f"The program {self.name} has data references, and its job takes the outputs of another one, whose tasks cannot name "
            "further blobs. Give files or bytes, which then travel in the kernel."
        )
        contents = _Contents(put, refusal)
        definition = {
            "name": self.name,
            "module": contents.of(self._source),
            "args": self._args,
            "env": self._env,
            "stdin": self._stdin if isinstance(self._stdin, str) else contents.of(self._stdin),
            "files": {path: contents.of(source) for path, source in self._files.items()},
            "output": self._output,
            "exitCodes": self._exit_codes,
            "timeMs": self._time_ms,
            "memoryBytes": memory_bytes,
        }
        return definition, contents.refs


def program(
    source: str | os.PathLike[str] | bytes | DataReference,
    *,
    args: Sequence[str] = (),
    env: dict[str, str] | None = None,
    stdin: Any = "",
    files: dict[str, Any] | None = None,
    output: Any = "stdout",
    exit_codes: Sequence[int] = (0,),
    time: datetime.datetime | None = None,
) -> Program:
    """A program that was compiled to WebAssembly with the system interface WASI preview 1, as a kernel of ``map`` and others.

    Each task runs it from the start, with files in memory; ``docs/programs.md`` says what it has::

        fasttree = manyhands.program("fasttree.wasm", args=["-nt", "{input}"])
        trees = hands.map(fasttree, [hands.put(path) for path in alignments]).gather()

    Args:
        source: path of the ``.wasm`` file, its bytes, or a data reference to them
        args: arguments behind the program's name: ``{input}`` is the task's input, ``{name}`` a member of an input that is a
            dict, ``{0}`` an element of a list: text and numbers as they are, bytes and data references as the path of a
            file. ``{name:file}`` makes a file of text, too; ``{{`` is a brace
        env: environment, with the same placeholders
        stdin: a text with placeholders, or bytes. Of a placeholder alone that stands for bytes, these bytes
        files: files of every task by path: paths of this machine, bytes or data references
        output: of a task: standard output as text (``"stdout"``) or as ``"bytes"``; ``{"files": "*.tree"}``, or with a list
            of patterns: the files whose paths match, by path
        exit_codes: those that are no failure
        time: at which the program's clock starts; 2000-01-01 in UTC unless told

    Raises:
        PlatformError: BAD_ARGUMENT
    """
    env, files = env or {}, files or {}
    output = _check_start("a program", {"args": args, "env": [*env, *env.values()], "files": files}, output, exit_codes)
    time_ms = _PROGRAM_START if time is None else int(time.timestamp() * 1000)
    return Program(source, args, env, stdin, files, output, exit_codes, time_ms)


def _check_start(noun: str, lists: dict[str, Any], output: Any, exit_codes: Sequence[int]) -> Any:
    """Refuses options of programs and commands that are none. Returns the output, with a list for a tuple of patterns.

    Args:
        lists: options that hold texts, by name
    """
    for what, texts in lists.items():
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise _bad(f"{what} of {noun} holds something else than texts; write numbers as str(number).")
    patterns = output.get("files") if isinstance(output, dict) and len(output) == 1 else None
    listed = [patterns] if isinstance(patterns, str) else patterns
    if isinstance(listed, tuple):
        listed, output = list(listed), {"files": list(listed)}
    is_listed = isinstance(listed, list) and listed and all(isinstance(each, str) for each in listed)
    if output not in ("stdout", "bytes") and not is_listed:
        raise _bad(f'output of {noun} is {output!r}; expected "stdout", "bytes" or {{"files": "*.tree"}}.')
    if not all(type(code) is int for code in exit_codes):
        raise _bad(f"exit_codes of {noun} is {exit_codes!r}; expected whole numbers.")
    return output


@dataclass(frozen=True)
class _ProgramCode:
    """The code of a kernel that has a program as ``manyhandsKernel``."""

    program: Program
    #: Statements behind the declaration of the program.
    rest: str

    @property
    def name(self) -> str:
        return self.program.name.removesuffix(".wasm")

    def module(self, code: str, definition: dict[str, Any]) -> str:
        """The module, as the SDK makes it. ``code``: the code around programs, which the server has."""
        told = _json_text(_json_text(definition))
        return f"{code}const manyhandsKernel = manyhandsWasi.programKernel(JSON.parse({told}));\n{self.rest}"


#: The code of a kernel: a module in JavaScript, or what becomes one.
_Code = Union[str, "_PythonFunction", _ProgramCode, "Command"]


def _json_text(value: Any) -> str:
    """JSON as JavaScript writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _content_of(source: Any) -> memoryview:
    if not isinstance(source, (str, os.PathLike)):
        return _bytes_of(source)
    try:
        return memoryview(Path(source).read_bytes())
    except OSError as error:
        raise PlatformError("FILE_FAILED", f"The file {source} cannot be read: {error.strerror}.") from error


def _check_wasi(name: str, data: memoryview, memory_bytes: int) -> None:
    """Refuses a module that is no program of WASI preview 1, or that has more memory from the start than a task."""

    def refusal(what: str) -> PlatformError:
        return _bad(
            f"{name} {what} Expected a program of WASI preview 1, as `clang --target=wasm32-wasi` or "
            "`cargo build --target wasm32-wasip1` makes it."
        )

    if data[:4] != b"\0asm":
        raise refusal("is no WebAssembly module.")
    if data[4:8] != b"\1\0\0\0":
        raise refusal("is a WebAssembly component (WASI preview 2 or later).")
    foreign: list[str] = []
    exported: set[tuple[int, str]] = set()
    pages = 0
    try:
        reader = _WasmReader(data, 8)
        while reader.at < len(data):
            section, size = reader.byte(), reader.number()
            inner, reader.at = _WasmReader(data, reader.at), reader.at + size
            if section == 2:
                foreign += [f"{module}.{call}" for module, call, kind in inner.imports()
                            if module != "wasi_snapshot_preview1" or kind != 0 or call not in _WASI_CALLS]
            elif section == 5 and inner.number() == 1:
                inner.number()
                pages = inner.number()
            elif section == 7:
                exported.update(inner.exports())
    except (IndexError, ValueError) as error:
        raise refusal(f"is no WebAssembly that can be read: {error}.") from error
    if foreign:
        told = ", ".join(foreign[:5]) + (" and others" if len(foreign) > 5 else "")
        raise refusal(f"imports {told}, which is not there.")
    if not exported >= {(0, "_start"), (2, "memory")}:
        raise refusal("exports no `_start` and `memory`, as a library does.")
    if pages > memory_bytes // _PAGE_BYTES:
        raise _bad(
            f"{name}: The program has {-(-pages // 16)} MiB of memory from the start, and a task at most "
            f"{memory_bytes // 2**20} MiB (memory_mb)."
        )


class _WasmReader:
    """Reads sections of a module, https://webassembly.github.io/spec/core/binary/modules.html."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self.at = at

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str:
        size = self.number()
        self.at += size
        return bytes(self._data[self.at - size : self.at]).decode()

    def limits(self) -> None:
        flags = self.number()
        self.number()
        if flags & 1:
            self.number()

    def imports(self) -> Iterator[tuple[str, str, int]]:
        for _ in range(self.number()):
            module, name, kind = self.text(), self.text(), self.byte()
            yield module, name, kind
            if kind == 0:
                self.number()
            elif kind == 1:
                self.byte()
                self.limits()
            elif kind == 2:
                self.limits()
            elif kind in (3, 4):
                self.byte()
                self.number()
            else:
                raise ValueError(f"an import of kind {kind}")

    def exports(self) -> Iterator[tuple[int, str]]:
        for _ in range(self.number()):
            name, kind = self.text(), self.byte()
            self.number()
            yield kind, name


# ---------------------------------------------------------------------------------------------------------------------
# Kernels of commands


@dataclass(frozen=True)
class Command:
    """A program that is installed on clients, as a kernel; made by :func:`command`."""

    name: str
    args: Sequence[str]
    stdin: Any
    files: dict[str, Any]
    output: Any
    exit_codes: Sequence[int]

    def request(self, put: Callable[[Any], DataReference]) -> tuple[dict[str, Any], dict[str, int]]:
        """The body that makes the kernel, and the blobs that each task names."""
        contents = _Contents(put)
        body = {
            "command": self.name,
            "args": list(self.args),
            "stdin": self.stdin if isinstance(self.stdin, str) else contents.of(self.stdin),
            "files": {path: contents.of(source) for path, source in self.files.items()},
            "output": self.output,
            "exitCodes": list(self.exit_codes),
        }
        return body, contents.refs


def command(
    name: str,
    args: Sequence[str] = (),
    *,
    stdin: Any = "",
    files: dict[str, Any] | None = None,
    output: Any = "stdout",
    exit_codes: Sequence[int] = (0,),
) -> Command:
    """A program that is installed on clients, as a kernel, for clients whose owners allow a command of this name.

    ``hands.map(command("blastp", ["-query", "{input}", "-db", "/data/swissprot"]), inputs)``; ``docs/commands.md`` describes it.

    Args:
        args: arguments with placeholders for the task's input: ``{input}``, ``{name}``, ``{0}``, ``{name:file}``
        stdin: standard input: a text with placeholders, or bytes
        files: files of every task by path: paths of this machine, bytes, or data references
        output: ``"stdout"`` (text), ``"bytes"``, or ``{"files": "*.tree"}``: a dict of the files whose paths match
        exit_codes: those that are no failure

    Raises:
        PlatformError: BAD_ARGUMENT
    """
    files = files or {}
    output = _check_start("a command", {"args": args, "files": files}, output, exit_codes)
    return Command(name, args, stdin, files, output, exit_codes)


#: A kernel as customers give it.
_Kernel = Union[str, "os.PathLike[str]", Program, Command, Callable[..., Any]]


# ---------------------------------------------------------------------------------------------------------------------
# Kernels of functions in Python

#: What a name without a definition of its own may stand for: the value is written into the kernel.
_LITERALS = (type(None), bool, int, float, complex, str, bytes)


@dataclass(frozen=True)
class _PythonFunction:
    """A function in Python with the sources that it needs (shared/wire/python-program.ts)."""

    name: str
    modules: dict[str, str]
    module: str
    function: str
    #: Packages that it uses, and those that modules of its own import, perhaps on some machines only.
    packages: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    spread: bool = False
    wheels: tuple[Any, ...] = ()
    #: A command of clients that is the Python which computes it.
    on: str | None = None
    #: In a kernel of a reduction: the function that combines outputs, as the server takes it.
    combine: dict[str, Any] | None = None

    def request(
        self, embed: bool, put: Callable[[Any], DataReference]
    ) -> tuple[dict[str, Any], Callable[[dict[str, Any]], None]]:
        """The request for its kernel, and what checks the reply."""
        wheels, own, is_known = [], set(), True
        for source in self.wheels:
            wheel, modules = _wheel_of(source, embed, put)
            wheels.append(wheel)
            own |= modules
            is_known = is_known and not isinstance(source, DataReference)
        told = {"modules": self.modules, "module": self.module, "function": self.function, "spread": self.spread}
        told.update({"wheels": wheels, "embed": embed})
        if self.combine is not None:
            told["combine"] = self.combine
        if self.on is not None:
            # Packages are those of the clients.
            told["on"] = self.on
        else:
            told["imports"] = sorted((self.packages | self.imports) - own)

        def check(made: dict[str, Any]) -> None:
            missing = sorted(self.packages & set(made["missing"]))
            if missing and is_known:
                names = " and ".join(missing)
                raise _refused(
                    self.name,
                    f"it needs {names}, which is neither in Python's standard library nor a module of your own, and this "
                    "server has no wheel of it",
                    "its operator puts one in with `manyhands runtime add FILE`, and wheels of pure Python can come with the "
                    "job: hands.map(f, inputs, wheels=[…]). Or do that part in the program around the job",
                )

        return told, check


def _is_python(kernel: Any) -> bool:
    """Whether a kernel is a function in Python."""
    return callable(kernel) and not isinstance(kernel, os.PathLike)


def _folding_function(function: Any, combine: Any, per_task: int, on: str | None) -> _PythonFunction:
    """The kernel whose input is a list of inputs: it applies a function to each, and combines from left to right."""
    applied, by = _python_function(function, on), _python_function(combine, on)
    modules, name = dict(by.modules), by.module
    if applied.modules.get(f"{name}.py", modules[f"{name}.py"]) != modules[f"{name}.py"]:
        # Of the file of both functions, each has the definitions that it uses.
        name = f"{by.module}_combine"
        modules[f"{name}.py"] = modules.pop(f"{by.module}.py")
    packages = applied.packages | by.packages
    return replace(
        applied,
        modules={**modules, **applied.modules},
        packages=packages,
        imports=(applied.imports | by.imports) - packages,
        combine={"module": name, "function": by.function, "perTask": per_task},
    )


def _combining_function(combine: Any, on: str | None) -> _PythonFunction:
    """The kernel whose input is a list of outputs, which a function combines from left to right."""
    by = _python_function(combine, on)
    return replace(by, combine={"module": by.module, "function": by.function, "perTask": 0})


def _python_function(function: Any, on: str | None = None) -> _PythonFunction:
    """The sources of a function: its own, and the definitions, values and modules that it uses.

    Raises:
        PlatformError: BAD_ARGUMENT for a function that cannot travel, and why
    """
    name = getattr(function, "__name__", type(function).__name__)
    if isinstance(function, functools.partial):
        raise _refused(name, "it is a partial, which has no source", "write a function that calls it with all arguments")
    if inspect.ismethod(function):
        raise _refused(name, "it is bound to an object", "write a function, and pass what it needs in the input")
    collector = _Collector(name)
    plain = inspect.unwrap(function)
    if isinstance(plain, types.FunctionType):
        entry = collector.add_function(plain, is_kernel=True)
    else:
        entry = collector.name_of_foreign(function)
    modules, packages = collector.modules(), frozenset(collector.packages)
    own = {path.split("/")[0].removesuffix(".py") for path in modules}
    imports = frozenset(collector.imports) - packages - own
    return _PythonFunction(name.strip("<>"), modules, collector.module, entry, packages, imports, on=on)


def _wheel_of(source: Any, embed: bool, put: Callable[[Any], DataReference]) -> tuple[dict[str, Any], set[str]]:
    """A wheel as the server takes it, and the modules that it has as far as this is known."""
    if isinstance(source, DataReference):
        if source.range:
            raise _bad("A wheel is a slice of a blob; expected a whole blob.")
        if embed:
            raise _bad(
                "A wheel is a data reference, and its job takes the outputs of another one, whose tasks cannot name further "
                "blobs; expected a file, which then travels in the kernel."
            )
        # A reference has no file name, which a wheel of pure Python does not need.
        file = f"wheel_{source.sha256[:16]}-0-py3-none-any.whl"
        return {"file": file, "sha256": source.sha256, "size": source.size}, set()
    path = Path(source)
    data = _content_of(path)
    modules = set()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                found = re.match(r"([A-Za-z_]\w*)(?:/.*|(?:\.[\w-]+)?)\.(?:py|so)$", name)
                if found:
                    modules.add(found[1])
    except zipfile.BadZipFile as error:
        raise _bad(f"The wheel {path} cannot be read as a zip archive: {error}.") from error
    if embed:
        return {"file": path.name, "base64": b64encode(data).decode()}, modules
    reference = put(data)
    return {"file": path.name, "sha256": reference.sha256, "size": reference.size}, modules


def _refused(name: str, why: str, instead: str) -> PlatformError:
    return _bad(f"The Python function {name} cannot be a kernel: {why}; {instead}.")


class _Collector:
    """Collects what a function needs, into one module of definitions and whole modules of the program's own folder."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._globals: dict[str, Any] = {}
        #: Statements of the first line: imports and values, by name.
        self._heads: dict[str, str] = {}
        #: Definitions by name: the line where they begin in their file, and their text.
        self._definitions: dict[str, tuple[int, str]] = {}
        self._whole: dict[str, str] = {}
        #: Modules of installed packages that it uses, and those that modules of its own import.
        self.packages: set[str] = set()
        self.imports: set[str] = set()
        self.module = "kernel"

    def modules(self) -> dict[str, str]:
        # Lines have the numbers that they have in the file, as far as they can.
        text = f"from __future__ import annotations; {'; '.join(self._heads[name] for name in sorted(self._heads))}\n"
        line = 2
        for begin, definition in sorted(self._definitions.values()):
            text += "\n" * (begin - line) + definition
            line = max(begin, line) + definition.count("\n")
        return {**self._whole, f"{self.module}.py": text}

    def add_function(self, function: types.FunctionType, is_kernel: bool = False) -> str:
        if function.__code__.co_freevars:
            free = ", ".join(function.__code__.co_freevars)
            raise self._refusal(
                f"{function.__name__} uses {free} of the function around it",
                "pass that in the input, or define it at the top of the module",
            )
        if is_kernel:
            self._globals = function.__globals__
            self.module = self._module_name(function)
        text, begin = self._source_of(function)
        tree, text = self._parsed(text)
        found = next((node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))), None)
        if function.__name__ == "<lambda>":
            return self._add_lambda(tree, text, begin)
        if found is None:
            raise self._refusal("its source is no function", "write it with def")
        kept = [node for node in found.decorator_list if self._is_standard(node)]
        lines = text.splitlines(keepends=True)
        body = "".join(lines[found.lineno - 1 : found.end_lineno])
        decorators = "".join(f"@{ast.get_source_segment(text, node)}\n" for node in kept)
        begin += found.lineno - 1 - len(kept)
        self._define(found.name, begin, decorators + body)
        return found.name

    def _add_lambda(self, tree: ast.AST, text: str, begin: int) -> str:
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
        if len(found) != 1:
            raise self._refusal(f"there are {len(found)} lambdas in its statement", "write it with def")
        segment = ast.get_source_segment(text, found[0]) or ""
        # A lambda of several lines stands in brackets.
        self._define("kernel_lambda", begin + found[0].lineno - 1, f"kernel_lambda = ({segment}\n)\n")
        return "kernel_lambda"

    def _define(self, name: str, begin: int, text: str) -> None:
        if not text.endswith("\n"):
            text += "\n"
        self._definitions[name] = (begin, text)
        self._take_imports(ast.parse(text))
        code = compile(text, "<kernel>", "exec", __future__.annotations.compiler_flag, dont_inherit=True)
        for used, attributes in _names_in(code).items():
            self._add_name(used, attributes)

    def _add_name(self, name: str, attributes: set[str]) -> None:
        if name in self._heads or name in self._definitions or name.startswith("__"):
            return
        if name not in self._globals:
            if not hasattr(builtins, name):
                raise self._refusal(
                    f"it uses {name}, which its module does not define", f"define {name}, or pass it in the input"
                )
            return
        value = self._globals[name]
        plain = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
        if isinstance(value, types.ModuleType):
            self._add_module(name, value, attributes)
        elif isinstance(plain, types.FunctionType) and plain.__globals__ is self._globals:
            self.add_function(plain)
            if plain.__name__ != name:
                self._heads.pop(name, None)
                self._definitions[name] = (10**6, f"{name} = {plain.__name__}\n")
        elif isinstance(value, type) and value.__module__ == self._globals.get("__name__"):
            text, begin = self._source_of(value)
            self._define(name, begin, text)
        elif _is_literal(value):
            self._heads[name] = f"{name} = {_literal(value)}"
        else:
            self._add_foreign(name, value)

    def _add_foreign(self, name: str, value: Any) -> None:
        """A function, class or object that another module defines."""
        module = getattr(value, "__module__", None)
        origin = sys.modules.get(module) if isinstance(module, str) else None
        own_name = getattr(value, "__qualname__", None) or getattr(value, "_name", None) or name
        if origin is None or own_name is None or "." in own_name or getattr(origin, own_name, None) is not value:
            raise self._refusal(
                f"it uses {name}, an instance of {type(value).__name__}, which cannot travel",
                "pass what it needs in the input, or make the object inside the function",
            )
        self._take_module(origin.__name__, origin)
        self._heads[name] = f"from {origin.__name__} import {own_name} as {name}"

    def name_of_foreign(self, value: Any) -> str:
        if not callable(value) or isinstance(value, type):
            raise self._refusal(f"it is a {type(value).__name__}", "give a function")
        self._name = getattr(value, "__name__", self._name)
        self._add_foreign("kernel_function", value)
        return "kernel_function"

    def _add_module(self, name: str, module: types.ModuleType, attributes: set[str]) -> None:
        self._take_module(module.__name__, module)
        dotted = module.__name__
        statement = f"import {dotted}" if dotted == name else f"import {dotted} as {name}"
        # `import a.b` binds `a` alone.
        for attribute in sorted(attributes):
            inner = sys.modules.get(f"{dotted}.{attribute}")
            if isinstance(inner, types.ModuleType) and getattr(module, attribute, None) is inner:
                self._take_module(inner.__name__, inner)
                statement += f"; import {dotted}.{attribute}"
        self._heads[name] = statement

    def _take_module(self, name: str, module: types.ModuleType | None, is_certain: bool = True) -> None:
        """Takes a module of the program's own folder along, with what it imports; one of the standard library is there."""
        top = name.split(".")[0]
        if top in _standard_modules() or top == "manyhands":
            return
        file = getattr(module, "__file__", None)
        is_installed = file is None or {"site-packages", "dist-packages"} & set(Path(file).parts)
        if top == "__main__":
            raise self._refusal("it imports the program itself", "put what it needs into a module of its own")
        if is_installed or not str(file).endswith(".py"):
            # A wheel may have it. What is imported on some machines only may be missing where the kernel runs.
            (self.packages if is_certain else self.imports).add(top)
            return
        self._take_file(name, Path(str(file)))

    def _take_file(self, name: str, file: Path) -> None:
        path = f"{name.replace('.', '/')}{'/__init__' if file.name == '__init__.py' else ''}.py"
        if path in self._whole:
            return
        try:
            source = file.read_text("utf-8-sig")
            tree = ast.parse(source)
        except (OSError, ValueError, SyntaxError) as error:
            raise PlatformError("FILE_FAILED", f"The module {file} cannot be read: {error}.") from error
        self._whole[path] = source
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        self._take_imports(tree, package, name.rpartition(".")[0])

    def _take_imports(self, tree: ast.AST, package: str = "", parent: str = "") -> None:
        """Takes the modules along that a source imports anywhere."""
        wanted = {parent} if parent else set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parts = package.split(".") if package else []
                    base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
                wanted.add(base)
                wanted.update(f"{base}.{alias.name}" for alias in node.names)
        for each in sorted(wanted):
            top = each.split(".")[0]
            found = sys.modules.get(each)
            if top in _standard_modules() or top in ("", "manyhands"):
                continue
            if isinstance(found, types.ModuleType) and getattr(found, "__file__", None):
                with contextlib.suppress(PlatformError):
                    self._take_module(each, found, is_certain=False)
            else:
                self.imports.add(top)

    def _source_of(self, thing: Any) -> tuple[str, int]:
        try:
            lines, begin = inspect.getsourcelines(thing)
        except (OSError, TypeError) as error:
            name = getattr(thing, "__name__", self._name)
            raise self._refusal(f"the source of {name} is not there ({error})", "put it into a file") from None
        return textwrap.dedent("".join(lines)), max(begin, 2)

    def _parsed(self, text: str) -> tuple[ast.AST, str]:
        for form in (text, f"({text.strip().rstrip(',')})"):
            with contextlib.suppress(SyntaxError):
                return ast.parse(form), form
        raise self._refusal("its source does not stand alone", "write it with def")

    def _module_name(self, function: types.FunctionType) -> str:
        name = str(self._globals.get("__name__", ""))
        if name == "__main__" or "." in name:
            name = Path(function.__code__.co_filename).stem
        is_free = name.isidentifier() and name not in _standard_modules() and name != "manyhands"
        return name if is_free else "kernel"

    def _is_standard(self, decorator: ast.expr) -> bool:
        """Whether a decorator is of the standard library, such as ``functools.cache``: it stays, others are left away."""
        while isinstance(decorator, (ast.Call, ast.Attribute)):
            decorator = decorator.func if isinstance(decorator, ast.Call) else decorator.value
        value = self._globals.get(decorator.id) if isinstance(decorator, ast.Name) else None
        module = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
        return isinstance(module, str) and module.split(".")[0] in _standard_modules()

    def _refusal(self, why: str, instead: str) -> PlatformError:
        return _refused(self._name, why, instead)


def _names_in(code: types.CodeType) -> dict[str, set[str]]:
    """Global names that a code uses, with the attributes that are looked up right behind each."""
    found: dict[str, set[str]] = {}
    stored = {each.argval for each in dis.get_instructions(code) if each.opname == "STORE_NAME"}
    last: str | None = None
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME") and each.argval not in stored:
            last = each.argval
            found.setdefault(each.argval, set())
        elif each.opname in ("LOAD_ATTR", "LOAD_METHOD") and last is not None:
            found[last].add(each.argval)
            last = None
        else:
            last = None
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            for name, attributes in _names_in(constant).items():
                if name not in stored:
                    found.setdefault(name, set()).update(attributes)
    return found


def _is_literal(value: Any, depth: int = 0) -> bool:
    kind = type(value)
    if kind in _LITERALS:
        return True
    if depth > _MAX_DEPTH:
        return False
    if kind is dict:
        return all(_is_literal(each, depth + 1) for pair in value.items() for each in pair)
    return kind in (list, tuple, set, frozenset) and all(_is_literal(each, depth + 1) for each in value)


def _literal(value: Any) -> str:
    """The value as text; floats that are no numbers have no literal of their own."""
    kind = type(value)
    if kind is float and not math.isfinite(value):
        return f"float({str(value)!r})"
    if kind is dict:
        return "{" + ", ".join(f"{_literal(key)}: {_literal(each)}" for key, each in value.items()) + "}"
    if kind is list:
        return f"[{', '.join(map(_literal, value))}]"
    if kind is tuple:
        return f"({''.join(f'{_literal(each)}, ' for each in value)})"
    if kind in (set, frozenset):
        return f"{kind.__name__}([{', '.join(sorted(map(_literal, value)))}])"
    return repr(value)


@functools.lru_cache(maxsize=None)
def _standard_modules() -> frozenset[str]:
    names = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return frozenset(names)
    # Python 3.9 has no such list.
    folder = Path(os.__file__).parent
    found = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    extensions = {path.name.split(".")[0] for path in folder.glob("lib-dynload/*")}
    return frozenset(found | extensions | set(sys.builtin_module_names))


# ---------------------------------------------------------------------------------------------------------------------
# Kernels of reductions (SPEC.md [REDUCE-1]), in the same text as the SDK's (customer/kernel/reducing.ts)

_FOLD_INPUTS = """export default async (inputs, ctx) => {
  const { signal, resume } = ctx;
  const first = ctx.index * PER_TASK;
  let folded = resume?.folded;
  for (let at = resume?.at ?? 0; at < inputs.length; at++) {
    const own = {
      ...ctx,
      signal,
      index: first + at,
      resume: resume?.at === at ? resume.state : undefined,
      progress: (fraction) => ctx.progress((at + fraction) / inputs.length),
      checkpoint: (state) => {
        try {
          ctx.checkpoint({ at, folded, state });
        } catch (error) {
          // Without a checkpoint that includes the outputs so far, another machine begins the task anew.
          if (at === 0 || error.code !== "TOO_LARGE") throw error;
        }
      },
    };
    let output;
    try {
      output = await manyhandsKernel(inputs[at], own);
    } catch (error) {
      if (error instanceof Error) error.message = `Input ${first + at}: ${error.message}`;
      throw error;
    }
    folded = at === 0 ? output : await manyhandsCombine(folded, output, ctx);
    ctx.progress((at + 1) / inputs.length);
  }
  return folded;
};
"""
_FOLD_OUTPUTS = """export default async (outputs, ctx) => {
  let folded = outputs[0];
  for (let at = 1; at < outputs.length; at++) {
    folded = await manyhandsCombine(folded, outputs[at], ctx);
    ctx.progress(at / (outputs.length - 1));
  }
  return folded;
};
"""


def _is_function(kernel: Any) -> bool:
    """Whether a kernel is the text of a function, and no module."""
    is_text = isinstance(kernel, str) and not _MODULE_NAME.fullmatch(kernel.strip())
    return is_text and not _DEFAULT_EXPORT.search(kernel)


def _folding_source(kernel: Any, combine: Any, per_task: int, compare: Any) -> _Code:
    """The module whose input is a list of inputs: it applies the kernel to each, and combines from left to right."""
    if combine is None and (isinstance(kernel, Program) or _is_function(kernel)):
        raise _bad(
            "The kernel is a function or a program, and nothing says how its outputs are combined; expected "
            'combine="(a, b) => …", or a kernel module that exports `combine`.'
        )
    if isinstance(kernel, Program):
        _comparing(compare, (kernel,))
        return _ProgramCode(kernel, _declared_combine(combine) + _FOLD_INPUTS.replace("PER_TASK", str(per_task)))
    source, _ = _kernel_of(kernel)
    if _is_function(kernel):
        module = _declared(kernel, "manyhandsKernel")
    else:
        module, name = _without_default(source)
        module = _ending_in_line(module)
        if name != "manyhandsKernel":
            module += f"const manyhandsKernel = {name};\n"
    _comparing(compare, (kernel,))
    module += _exported_combine(kernel, source) if combine is None else _declared_combine(combine)
    return module + _FOLD_INPUTS.replace("PER_TASK", str(per_task))


def _combining_source(combine: Any, kernel: Any, compare: Any) -> str:
    """The module whose input is a list of outputs, which it combines from left to right."""
    source, _ = _kernel_of(combine)
    comparing = _comparing(compare, (combine, kernel))
    if _is_function(combine) or (comparing is not None and comparing is not combine):
        module = "" if comparing is None else _ending_in_line(_without_default(_kernel_of(comparing)[0])[0])
        return module + _declared_combine(combine) + _FOLD_OUTPUTS
    return _ending_in_line(_without_default(source)[0]) + _exported_combine(combine, source) + _FOLD_OUTPUTS


def _declared(function: str, name: str) -> str:
    return f"const {name} = (() => {{\nreturn {_expression_of(function)};\n}})();\n"


def _exported_combine(kernel: Any, source: str) -> str:
    name = _local_name(source, "combine")
    if name is None:
        what = f"The kernel module {kernel}" if "\n" not in str(kernel) else "The kernel module"
        raise _bad(
            f"{what} exports no `combine`; expected `export function combine(a, b)`, or the option "
            'combine="(a, b) => …".'
        )
    return f"const manyhandsCombine = {name};\n"


def _declared_combine(combine: Any) -> str:
    """The declaration of a function, or of the one that another module than the kernel's exports."""
    source, _ = _kernel_of(combine)
    if _is_function(combine):
        return _declared(combine, "manyhandsCombine")
    exported = _exported_combine(combine, source)
    module = _EXPORTED.sub(r"\1", _EXPORT_LIST.sub(r"\1", _without_default(source)[0]))
    # A function of its own keeps the names of the two modules apart.
    scope = f"(async () => {{\n{_ending_in_line(module)}{exported}return manyhandsCombine;\n}})()"
    return f"const manyhandsCombine = await {scope};\n"


def _local_name(source: str, exported: str) -> str | None:
    """The name that an export has inside its module."""
    declaration = rf"{_STATEMENT}export\s+(?:(?:async\s+)?function|const|let|var)\s+{exported}\b"
    if re.search(declaration, source, re.MULTILINE):
        return exported
    for match in _EXPORT_LIST.finditer(source):
        for item in match[2].split(","):
            words = item.split()
            if words and words[-1] == exported:
                return words[0]
    return None


def _comparing(compare: Any, kernels: Sequence[Any]) -> Any:
    """The first module whose function compares outputs, for jobs that call it."""
    if compare != "kernel":
        return None
    for kernel in kernels:
        if kernel is None or isinstance(kernel, Program):
            continue
        if not _is_function(kernel) and _local_name(_kernel_of(kernel)[0], "compare"):
            return kernel
    raise _bad(
        'The reduction has compare="kernel", and none of its kernel modules exports such a function; expected '
        "`export function compare(a, b)`."
    )


def _ending_in_line(source: str) -> str:
    return source if source.endswith("\n") else f"{source}\n"


# ---------------------------------------------------------------------------------------------------------------------
# Submission

#: The first request is small, so that clients can begin at once; each may hold twice as much as the one before.
_FIRST_BATCH, _LARGEST_BATCH = 128, 2048
#: Bounds of a request in bytes and references: a lost reply costs little, and a pack stays within the server's bounds.
_BATCH_BYTES, _BATCH_REFS = 1024 * 1024, 32 * 1024
#: Seconds in which inputs that come together are put into one request.
_GATHERING = 0.002
#: Seconds between two looks at a job with a window.
_WINDOW_POLL = 0.25
#: Longest time that a failed submission waits until the server has cancelled the job.
_CANCEL_PATIENCE = 5.0


class _Encoded:
    """An input that was encoded when its task was submitted, so that a refusal is of that task alone."""

    __slots__ = ("blobs", "data")

    def __init__(self, value: Any) -> None:
        self.data, self.blobs = _encode(value)


class _Batch:
    """Tasks with consecutive indexes for one request (shared/wire/task-pack.ts)."""

    def __init__(self, first: int, most: int) -> None:
        self.first = first
        self.most = most
        self.sizes: list[int] = []
        self.data = bytearray()
        self.extras: list[dict[str, Any]] = []
        self.refs = 0
        self.large_bytes = 0
        #: Blobs of large inputs that are on their way.
        self.uploads: list[concurrent.futures.Future[DataReference]] = []

    @property
    def end(self) -> int:
        return self.first + len(self.sizes)

    @property
    def is_full(self) -> bool:
        return (
            len(self.sizes) >= self.most
            or len(self.data) + self.large_bytes >= _BATCH_BYTES
            or self.refs >= _BATCH_REFS
        )

    def add(
        self, data: bytearray, blobs: dict[str, int], upload: concurrent.futures.Future[DataReference] | None
    ) -> None:
        extra: dict[str, Any] = {"at": len(self.sizes)}
        if upload:
            extra["input"] = len(self.uploads)
            self.uploads.append(upload)
            self.large_bytes += len(data)
            self.sizes.append(0)
        else:
            self.data += data
            self.sizes.append(len(data))
        if blobs:
            extra["refs"] = [{"sha256": sha256, "size": size} for sha256, size in blobs.items()]
            self.refs += len(blobs)
        if len(extra) > 1:
            self.extras.append(extra)

    def body(self) -> bytes:
        """The pack of these tasks, once the blobs of large inputs are stored."""
        large = [upload.result() for upload in self.uploads]
        for extra in self.extras:
            if "input" in extra:
                reference = large[extra["input"]]
                extra["input"] = {"sha256": reference.sha256, "size": reference.size}
        pack: dict[str, Any] = {"first": self.first, "sizes": self.sizes, "bytes": self.data}
        if self.extras:
            pack["extras"] = self.extras
        out = bytearray()
        _write(out, pack, 0, {})
        return bytes(out)


class _Submission:
    """Streams inputs to the server: one thread enumerates and encodes inputs, one sends the inputs so far.

    After a lost reply, the same index with the same input is one task. The last request closes the job.
    """

    def __init__(self, job: Job, inputs: Iterable[Any] | Outputs, window: int | None) -> None:
        self._job = job
        self._http = job._http
        self._stop = job._stop
        self._inputs = inputs
        self._window = window
        self._batch = _Batch(0, _FIRST_BATCH)
        self._sent = 0
        self._ended = False
        #: Whether the last request held a single input, as in a program that waits for each output.
        self._is_single = False
        self._failure: BaseException | None = None

    def run(self, create: Callable[[], dict[str, Any]]) -> None:
        info: dict[str, Any] | None = None
        try:
            info = create()
            self._job._made(info)
            if info["state"] == "blocked" and info["counts"]["total"] == 0:
                if isinstance(self._inputs, Outputs) and self._inputs._job._is_being_left():
                    # The program gets the error that ended the source, which blocked this job.
                    self._inputs._job._await_taken()
                raise PlatformError("JOB_BLOCKED", _why_blocked(info))
            if isinstance(self._inputs, Outputs):
                # The server passes the outputs on; the program is needed as long as their job needs inputs.
                self._inputs._job._await_taken()
            else:
                self._send_all(self._inputs, info)
        except BaseException as error:
            self._fail(info, error)
        else:
            self._job._all_taken()

    def _fail(self, info: dict[str, Any] | None, error: BaseException) -> None:
        """Tells the program of the failure after the server knows of it (SPEC.md [KEY-2])."""
        if info is None or self._stop.error is not None:
            return self._stop.set(error)
        ended = _ended_elsewhere(self._http, info["id"], error)
        if ended:
            # The results of the ended job tell the rest.
            return self._job._not_taken(ended)
        self._job._give_up(error)

    def _send_all(self, inputs: Iterable[Any], info: dict[str, Any]) -> None:
        if isinstance(inputs, (list, tuple, range)):
            _must_fit(info, len(inputs))
        path = f"api/jobs/{info['id']}/tasks"
        is_closed = False
        try:
            while True:
                batch, is_last = self._next_batch()
                if is_last:
                    _must_fit(info, batch.end)
                if batch.sizes:
                    query = "?close=1" if is_last else ""
                    headers = {"content-type": "application/x-manyhands-tasks"}
                    self._http.ask(
                        "POST", path + query, body=batch.body(), headers=headers, stop=self._stop, may_shrink=True
                    )
                    is_closed = is_last
                with self._http.news:
                    self._sent = batch.end
                    self._job._taken = batch.end
                    self._http.news.notify_all()
                if is_last:
                    break
            if not is_closed:
                self._http.ask("POST", f"api/jobs/{info['id']}/close", stop=self._stop)
        except PlatformError as error:
            # A job with all its inputs takes the same inputs again, and no others.
            if error.code == "WRONG_STATE" and info["state"] in ("closed", "finished"):
                raise _other_inputs(info, "more") from error
            raise

    def _next_batch(self) -> tuple[_Batch, bool]:
        """The inputs so far, and whether they are the last."""
        with self._http.news:

            def is_over() -> bool:
                return self._ended or self._failure is not None or self._stop.error is not None

            self._http.news.wait_for(lambda: is_over() or self._batch.sizes)
            if not self._is_single:
                self._http.news.wait_for(lambda: is_over() or self._batch.is_full, _GATHERING)
            self._stop.check()
            if self._failure is not None:
                raise self._failure
            batch = self._batch
            self._is_single = len(batch.sizes) == 1
            self._batch = _Batch(batch.end, min(batch.most * 2, _LARGEST_BATCH))
            self._http.news.notify_all()
            return batch, self._ended

    def enumerate(self, inputs: Iterable[Any]) -> None:
        try:
            news, stop = self._http.news, self._stop
            with news:
                news.wait_for(lambda: stop.error is not None or self._job._info is not None)
            count = ended = 0
            for value in inputs:
                stop.check()
                data, blobs, upload = self._prepared(count, value)
                count += 1
                with news:
                    if self._batch.is_full:
                        news.wait_for(lambda: stop.error is not None or not self._batch.is_full)
                        stop.check()
                    batch = self._batch
                    batch.add(data, blobs, upload)
                    if len(batch.sizes) == 1 or batch.is_full:
                        news.notify_all()
                if self._window is not None and count - ended >= self._window:
                    ended = self._wait_for_window(count, self._window)
            self._ended = True
        except BaseException as error:
            self._failure = error
        with self._http.news:
            self._http.news.notify_all()

    def _prepared(
        self, index: int, value: Any
    ) -> tuple[bytearray, dict[str, int], concurrent.futures.Future[DataReference] | None]:
        try:
            data, blobs = (value.data, value.blobs) if type(value) is _Encoded else _encode(value)
        except PlatformError as error:
            message = f"Input {index}: {error.message}"
            raise PlatformError(error.code, message, error.remedy, error.retryable) from None
        if len(blobs) > _REFS_PER_TASK:
            message = f"Input {index} has {len(blobs)} data references; at most {_REFS_PER_TASK} are allowed."
            raise PlatformError("TOO_LARGE", message)
        if self._job._refs:
            blobs = {**blobs, **self._job._refs}
        if len(data) <= _INLINE_BYTES:
            return data, blobs, None
        return data, blobs, self._job._hands._later(self._stop, _put_bytes, self._http, memoryview(data), self._stop)

    def _wait_for_window(self, count: int, window: int) -> int:
        """Waits until the job has room. Returns the number of tasks that ended."""
        with self._http.news:
            self._http.news.wait_for(lambda: self._stop.error is not None or self._sent >= count)
        while True:
            counts = self._http.ask("GET", f"api/jobs/{self._job._id}", stop=self._stop)["counts"]
            ended = counts["done"] + counts["failed"] + counts["cancelled"]
            if count - ended < window:
                return ended
            self._http.sleep(_WINDOW_POLL, self._stop)


def _must_fit(info: dict[str, Any], count: int) -> None:
    """Refuses another number of inputs than those of the job that was found by its key."""
    total = info["counts"]["total"]
    if count < total or (count > total and info["state"] in ("closed", "finished")):
        raise _other_inputs(info, str(count))


def _other_inputs(info: dict[str, Any], given: str) -> PlatformError:
    return PlatformError(
        "CONFLICT",
        f'The key "{info.get("key")}" stands for job {info["id"]}, which has {info["counts"]["total"]} inputs; {given} '
        "were given now. Expected the same inputs, or another key.",
    )


def _ended_elsewhere(http_: _Http, job_id: str, error: BaseException) -> PlatformError | None:
    """The refusal of a job that was ended while its inputs were still coming; None: the error has another cause."""
    # A job that takes outputs hears how their job ended.
    codes = ("JOB_BLOCKED", "JOB_CANCELLED", "JOB_QUARANTINED", "WRONG_STATE")
    if not isinstance(error, PlatformError) or error.code not in codes:
        return None
    if error.code == "JOB_BLOCKED":
        return error
    try:
        info = http_.ask("GET", f"api/jobs/{job_id}", patience=0.0)
    except PlatformError:
        return None
    if info["state"] == "blocked":
        return PlatformError("JOB_BLOCKED", _why_blocked(info))
    if info["state"] == "quarantined":
        return PlatformError("JOB_QUARANTINED", _why_quarantined(info))
    if info["state"] == "cancelled":
        return PlatformError("JOB_CANCELLED", f"Job {job_id} was ended before it had all its inputs.")
    return None


def _why_blocked(info: dict[str, Any]) -> str:
    reasons = [failure["message"] for failure in info["failures"] if failure["kind"] == "blocked"]
    return f"Job {info['id']} is blocked: {reasons[0] if reasons else 'a job it comes after did not finish well.'}"


def _why_quarantined(info: dict[str, Any]) -> str:
    counts, failures = info["counts"], info["failures"]
    # The reason of the job comes after those of its tasks.
    reason = failures[-1]["message"] if failures else ""
    told = f"Job {info['id']} was quarantined with {counts['done']} of {counts['total']} tasks done."
    return f"{told} {reason}".strip()


# ---------------------------------------------------------------------------------------------------------------------
# Data

#: Smaller bytes are sent without asking whether the customer has them on the server.
_UNASKED_BYTES = 64 * 1024
_CHUNK_BYTES = 1024 * 1024
#: Most successive replies without a byte.
_MOST_CUTS = 5
#: Uploads up to this size take a round trip rather than the link.
_UNGATED_BYTES = 64 * 1024
#: A piece takes about this long, so that its sender hears of it well within the silence limit.
_PIECE_SECONDS = 4.0
_LEAST_PIECE = 64 * 1024
#: Proxies bound the body of a request.
_MOST_PIECE = 64 * 1024**2
#: Times that one try asks again where to go on.
_MOST_QUESTIONS = 3


def _bytes_of(source: Any) -> memoryview:
    """The bytes of anything with a buffer (bytes, arrays of NumPy of any shape, …) as one view."""
    try:
        view = memoryview(source)
    except TypeError:
        raise _bad(
            f"A {type(source).__name__} cannot be put; expected a path, bytes, an array or an open file."
        ) from None
    return view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())


class _MemoryFile:
    """Bytes as a file: sockets bound the time of one call, so that a large body leaves in pieces."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def seek(self, at: int) -> None:
        self._at = at

    def read(self, size: int) -> memoryview:
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        return piece


def _put_bytes(http_: _Http, data: memoryview, stop: _Stop | None = None) -> DataReference:
    return _upload(http_, DataReference(hashlib.sha256(data).hexdigest(), len(data)), _MemoryFile(data), stop)


def _put_file(http_: _Http, file: BinaryIO) -> DataReference:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        _refuse_large(size)
    return _upload(http_, DataReference(digest.hexdigest(), size), file, None)


def _refuse_large(size: int) -> None:
    if size > _BLOB_BYTES:
        raise PlatformError("TOO_LARGE", f"{size} bytes to put; at most {_BLOB_BYTES} are allowed.")


def _upload(http_: _Http, reference: DataReference, body: Any, stop: _Stop | None) -> DataReference:
    path = f"api/blobs/{reference.sha256}"
    if reference.size > _UNASKED_BYTES and _exists(http_, path, stop):
        return reference
    with http_.uploads if reference.size > _UNGATED_BYTES else contextlib.nullcontext():
        _Upload(http_, reference, body, stop).send()
    return reference


class _Stretch:
    """The bytes [start, end) of a file."""

    def __init__(self, file: Any, start: int, end: int) -> None:
        self._file, self._start, self._end = file, start, end
        self._at = start

    def seek(self, at: int) -> None:
        self._at = self._start + at

    def read(self, size: int) -> Any:
        self._file.seek(self._at)
        piece = self._file.read(min(size, self._end - self._at))
        self._at += len(piece)
        return piece

    def content(self) -> bytes:
        """All of the bytes; none when they are too many to be held in memory, or do not come at once."""
        size = self._end - self._start
        self.seek(0)
        data = bytes(self.read(size)) if size <= _MOST_COMPRESSED_FILE else b""
        return data if len(data) == size else b""


class _Upload:
    """An upload that goes on behind the last byte that the server has, in pieces of about four seconds of the link."""

    def __init__(self, http_: _Http, reference: DataReference, file: Any, stop: _Stop | None) -> None:
        self._http, self._size, self._file, self._stop = http_, reference.size, file, stop
        self._path = f"api/blobs/{reference.sha256}"
        self._length, self._is_begun = 0, False

    def send(self) -> None:
        self._http.repeat(self._try, lambda: self._length, self._stop)

    def _try(self) -> None:
        for questions in range(_MOST_QUESTIONS + 1):
            if self._is_begun:
                told = self._http.request(_Request("HEAD", f"{self._path}/upload", stop=self._stop))
                self._length = int(told.headers["upload-offset"])
            self._is_begun = True
            try:
                while not self._send_piece():
                    pass
                return
            except PlatformError as error:
                # Another upload of the same customer continued the blob, or the server removed the partial upload.
                is_elsewhere = self._length > 0 and error.code in ("CONFLICT", "NOT_FOUND")
                if not is_elsewhere or questions == _MOST_QUESTIONS:
                    raise

    def _send_piece(self) -> bool:
        """Returns whether it was the last."""
        http_, start = self._http, self._length
        piece = int(min(_MOST_PIECE, max(_LEAST_PIECE, http_.upload_rate * _PIECE_SECONDS)))
        is_last = self._size - start <= 1.5 * piece
        end = self._size if is_last else start + piece
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(end - start),
            "upload-complete": "?1" if is_last else "?0",
            "upload-length": str(self._size),
        }
        method, path = "PUT", self._path
        if start > 0:
            method, path = "PATCH", f"{path}/upload"
            headers["upload-offset"] = str(start)
        work = self._size / _FLUSHED_BYTES if is_last else 0.0
        body = _Stretch(self._file, start, end)
        began = time.monotonic()
        try:
            # The server is asked for the offset before a piece is sent again.
            http_.request(
                _Request(method, path, body, headers, work=work, patience=0.0, stop=self._stop, may_shrink=True)
            )
        except PlatformError:
            http_.upload_rate /= 2
            raise
        rate = (end - start) / max(0.001, time.monotonic() - began)
        # A small piece tells more of the round trip than of the link.
        if rate > http_.upload_rate or end - start >= _LEAST_PIECE:
            http_.upload_rate = rate
        self._length = end
        return is_last


def _exists(http_: _Http, path: str, stop: _Stop | None) -> bool:
    """Whether the blob is the caller's own: an administrator also sees blobs of others, which are sent all the same."""
    try:
        return http_.request(_Request("HEAD", path, stop=stop)).headers.get("x-own-blob") is not None
    except PlatformError as error:
        if error.code == "NOT_FOUND":
            return False
        raise


def _stream_blob(http_: _Http, reference: DataReference, stop: _Stop | None = None) -> Iterator[bytes]:
    """The bytes of a reference, from where they were cut after a broken connection."""
    stop = stop or http_.stop
    start, end = reference.range or (0, reference.size)
    digest = None if reference.range else hashlib.sha256()
    at, cuts = start, 0
    path = f"api/blobs/{reference.sha256}"
    while at < end:
        is_part = at > 0 or end < reference.size
        headers = {"range": f"bytes={at}-{end - 1}"} if is_part else {}
        with http_.open(_Request("GET", path, headers=headers, stop=stop, is_blob=True, may_shrink=True)) as reply:
            data: Any = _plain(reply) if "content-encoding" in reply.headers else reply
            while True:
                try:
                    # A read of a fixed size would lose the bytes before a cut.
                    chunk = data.read1(_CHUNK_BYTES)
                except _FAILURES:
                    break
                if not chunk:
                    break
                at += len(chunk)
                cuts = 0
                if at > end:
                    raise _mismatch(reference)
                if digest:
                    digest.update(chunk)
                yield chunk
        stop.check()
        if at < end:
            cuts += 1
            if cuts > _MOST_CUTS:
                told = f"Replies with blob {reference.sha256} break off at byte {at} of {reference.size}"
                raise PlatformError("UNREACHABLE", f"{told}, {cuts} times in a row.")
            http_.sleep(_pause(cuts - 1), stop)
    if digest and digest.hexdigest() != reference.sha256:
        raise _mismatch(reference)


def _mismatch(reference: DataReference) -> PlatformError:
    return PlatformError("HASH_MISMATCH", f"The bytes received for blob {reference.sha256} are not those of that name.")


def _get_blob(http_: _Http, reference: DataReference, padding: int = 0, stop: _Stop | None = None) -> memoryview:
    """The bytes of a reference behind ``padding`` bytes."""
    try:
        data = memoryview(bytearray(padding + reference.length))[padding:]
    except MemoryError:
        told = f"{reference.length} bytes do not fit into the memory of this program."
        hint = "Read it in pieces: hands.stream(reference), or hands.get(reference.slice(from, to))."
        raise PlatformError("TOO_LARGE", told, hint) from None

    def read() -> memoryview:
        at = 0
        for chunk in _stream_blob(http_, reference, stop):
            data[at : at + len(chunk)] = chunk
            at += len(chunk)
        return data

    try:
        return read()
    except PlatformError as error:
        if error.code != "HASH_MISMATCH":
            raise
        return read()


# ---------------------------------------------------------------------------------------------------------------------
# Jobs


@dataclass(frozen=True)
class Outcome:
    """The end of a task. ``error`` is None exactly when the task is done."""

    #: Numbers the outcomes of a job in the order of their completion, from 1.
    seq: int
    #: Position of the task in its job.
    index: int
    output: Any
    error: TaskError | None

    def result(self) -> Any:
        """The output. Raises the :class:`TaskError` of a failed task."""
        if self.error is not None:
            raise self.error
        return self.output


@dataclass(frozen=True)
class SettledTask:
    """Outcome of a task after the end of its job."""

    index: int
    #: ``done``, ``failed`` or ``cancelled``
    status: str
    output: Any = None
    error: TaskError | None = None


@dataclass(frozen=True)
class ProvisionalNews:
    """A provisional result of a volunteer, or what became of one: see :meth:`Job.provisional`."""

    #: ``provisional``: the result. ``accepted``: it is the outcome of its task. ``withdrawn``: another one is, or will be.
    state: str
    index: int
    #: The volunteer's id. A task may have results of several.
    client: str
    #: None unless the state is ``provisional``.
    output: Any = None


class Progress(NamedTuple):
    """Progress of a job."""

    state: str
    paused: bool
    #: Ids of jobs that must finish first.
    waiting_for: list[str]
    #: The customer's quota of stored bytes is full: no task is computed before there is room.
    quota_full: bool
    #: SHA-256 of data that is damaged on the server's disk: what needs it waits until it is put again.
    missing_data: list[str]
    total: int
    queued: int
    running: int
    #: Computed by volunteers, and not accepted yet.
    provisional: int
    done: int
    failed: int
    cancelled: int
    #: Finished share of the work, 0 … 1.
    fraction: float
    #: Tasks a second over the last minute.
    rate: float
    #: Seconds until the job ends at this rate; None while unknown.
    remaining: float | None

    @classmethod
    def _of(cls, told: dict[str, Any]) -> Progress:
        ms = told["estimatedMs"]
        return cls(
            state=told["state"],
            paused=told["paused"],
            waiting_for=told["waitingFor"],
            quota_full=told["quotaFull"],
            missing_data=told["missingData"],
            fraction=told["fraction"],
            rate=told["rate"],
            remaining=None if ms is None else ms / 1000,
            **_counts_of(told["counts"]),
        )

    @classmethod
    def _at_end(cls, end: _End) -> Progress:
        over: dict[str, Any] = {"paused": False, "waiting_for": [], "quota_full": False, "missing_data": []}
        return cls(state=end.state, **over, fraction=1.0, rate=0.0, remaining=0.0, **_counts_of(end.counts))

    @property
    def has_ended(self) -> bool:
        """Whether the job takes no more outcomes; requeueing can open it again."""
        return self.state not in ("open", "closed")


def _counts_of(counts: dict[str, int]) -> dict[str, Any]:
    return {name: counts[name] for name in ("total", "queued", "running", "provisional", "done", "failed", "cancelled")}


class _Listener:
    """A listener to progress, which is told the end once: the server pushes the end, and readers of results see it."""

    def __init__(self, listener: Callable[[Progress], None]) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._is_told = False

    def tell(self, progress: Progress) -> None:
        with self._lock:
            if not self._is_told:
                self._is_told = progress.has_ended
                self._listener(progress)


class _Pack(NamedTuple):
    seqs: list[int]
    indexes: list[int]
    sizes: list[int]
    data: memoryview
    large: dict[int, DataReference]
    failures: dict[int, dict[str, Any]]


class _End(NamedTuple):
    state: str
    counts: dict[str, int]


def _read_frame(body: bytearray) -> _Pack | _End:
    """The content of a frame of results (shared/wire/result-pack.ts). Outputs are views of ``body``."""
    reader = _Reader(memoryview(body), is_value=False)
    told = reader.read(0)
    if reader.at != reader.end or not isinstance(told, dict):
        raise ValueError("one map is expected")
    if "state" in told:
        counts = told.get("counts")
        if told["state"] != "end" or not isinstance(told.get("job"), str) or not isinstance(counts, dict):
            raise ValueError("an unknown line about the job")
        return _End(told["job"], _counts_of(counts))
    seqs, indexes, sizes = (_column(told, name) for name in ("seqs", "indexes", "sizes"))
    data = told.get("bytes")
    if not isinstance(data, memoryview) or not len(seqs) == len(indexes) == len(sizes):
        raise ValueError("bytes, and columns of one length are expected")
    if sum(sizes) != len(data) or any(a >= b for a, b in zip(seqs, seqs[1:])):
        raise ValueError("sizes that sum up to the bytes, and growing sequence numbers are expected")
    large: dict[int, DataReference] = {}
    failures: dict[int, dict[str, Any]] = {}
    for extra in told.get("extras") or []:
        at = extra["at"]
        if not 0 <= at < len(sizes) or sizes[at] != 0 or ("failure" in extra) == ("output" in extra):
            raise ValueError("a result is expected to be one thing")
        if "output" in extra:
            large[at] = DataReference(extra["output"]["sha256"], extra["output"]["size"])
        else:
            failures[at] = dict(extra["failure"])
    return _Pack(seqs, indexes, sizes, data, large, failures)


def _column(told: dict[str, Any], name: str) -> list[int]:
    column = told.get(name)
    if not isinstance(column, list) or not all(type(number) is int and number >= 0 for number in column):
        raise ValueError(f"{name} are expected to be whole numbers")
    return column


#: Large inputs and outputs that are under way together, while others are made or used.
_MOVED_AT_ONCE = 4
#: Refusals that concern one blob only.
_LOST_CODES = ("NOT_FOUND", "HASH_MISMATCH", "TOO_LARGE")
#: Padding before a large output. The elements of an output that is one typed array begin at its byte 7.
_ALIGNING = 1


#: Outputs that one task of a reduction combines; inputs of one task where their number is not known beforehand.
_FAN_IN, _PER_TASK = 8, 32
#: Seconds that a job between the inputs and the value is kept after its end: enough to requeue what failed in it.
_KEEP_BETWEEN = 3600.0
#: Seconds between two looks at a job whose number of outputs is not known yet.
_COUNT_POLL = 0.5


def _unreadable(index: int, kind: str, reason: str) -> TaskError:
    message = (
        f"The task was done, but its output cannot be read. {reason} Submit the input again to have it computed anew."
    )
    return TaskError(index, kind, message)


def _outcome_of(seq: int, index: int, data: memoryview) -> Outcome:
    """An unreadable output becomes one failed task, so that the job's other outputs are read."""
    try:
        return Outcome(seq, index, decode_value(data), None)
    except ValueError as error:
        told = f"The bytes are not one MessagePack value: {error}."
        return Outcome(seq, index, None, _unreadable(index, "unserialisable", told))


class Job:
    """A job on the server, made by :meth:`Hands.map` or found by :meth:`Hands.job`.

    Iterate it for :class:`Outcome` objects in the order of completion, failed tasks included; ``gather()`` gives the
    outputs in the order of the inputs. Both start from the first result, any number of times, in this program or
    another. In ``asyncio``, ``await job`` is ``gather()`` in another thread. Leaving a loop stops reading, not the job.
    """

    def __init__(
        self,
        hands: Hands,
        job_id: str | None = None,
        fail_fast: bool | None = None,
        progress: bool = False,
        on_result: Callable[[Outcome], None] | None = None,
        on_break: str = "leave",
        has_key: bool = True,
    ) -> None:
        if on_break not in ("cancel", "leave"):
            raise _bad(f"on_break is {on_break!r}; expected 'cancel' or 'leave'.")
        self._hands = hands
        self._http = hands._http
        self._stop = _Stop(self._http.news, self._http.stop)
        self._watched = _Stop(self._http.news, self._stop)
        self._id = job_id
        self._fail_fast = fail_fast
        self._progress = progress
        self._listeners: list[_Listener] = []
        self._on_result = on_result
        self._on_break = on_break
        self._has_key = has_key
        #: The newest outcome that `on_result` was called with.
        self._told_seq = 0
        #: The outputs that are gathered while `on_result` is called.
        self._gathering: concurrent.futures.Future[list[Any]] | None = None
        #: The job as the server made or found it; None before.
        self._info: dict[str, Any] | None = None
        #: Number of tasks that the job had already, and of inputs that the server took, and therefore compared.
        self._known: float = 0 if job_id else math.inf
        self._taken: float = math.inf if job_id else 0
        self._is_verified = job_id is not None
        #: The job whose outputs are the inputs, when the program has that job.
        self._source: Job | None = None
        #: Sizes of the blobs that each task names beside those of its input, by name.
        self._refs: dict[str, int] = {}
        #: Number of its outputs in each input; None: the input is an output.
        self._per_task: int | None = None
        #: The refusal of inputs that came after the job had ended.
        self._refusal: PlatformError | None = None
        #: The submission or `on_result` failed; the program gets that error instead of the end of the job.
        self._is_left = False
        #: Whether the program asked for something that raises the failure of the submission.
        self._is_watched = False

        if on_result:
            self._gathering = gathering = concurrent.futures.Future()
            _start(lambda: self._gather_into(gathering), "on-result")

    # For the submission.

    def _made(self, info: dict[str, Any]) -> None:
        with self._http.news:
            self._id = info["id"]
            self._info = info
            self._known = info["counts"]["total"]
            self._is_verified = info["state"] == "open"
            self._http.news.notify_all()

    def _all_taken(self) -> None:
        with self._http.news:
            self._taken = math.inf
            self._is_verified = True
            self._http.news.notify_all()

    def _not_taken(self, error: PlatformError) -> None:
        with self._http.news:
            self._refusal = error
            self._http.news.notify_all()

    def _give_up(self, error: BaseException) -> None:
        """Cancels a job without a key. Later calls of the program raise the error, which is not the end of the job."""
        self._is_left = True
        if not self._has_key:
            with contextlib.suppress(PlatformError):
                self._http.ask("POST", f"api/jobs/{self._id}/cancel", patience=_CANCEL_PATIENCE)
        self._stop.set(error)

    def _wait(self, condition: Callable[[], bool], stop: _Stop, timeout: float | None = None) -> None:
        with self._http.news:
            if not self._http.news.wait_for(lambda: stop.error is not None or condition(), timeout):
                raise TimeoutError("The time for this is over; the job goes on.")
            if not condition():
                stop.check()

    def _await_id(self, stop: _Stop) -> str:
        self._wait(lambda: self._id is not None, stop)
        return str(self._id)

    def _await_taken(self) -> None:
        self._wait_verified(lambda: self._taken == math.inf, self._stop)

    def _await_inputs(self) -> None:
        """Waits for the submission at the end of the program or connection, and logs a failure nobody asked for."""
        try:
            self._await_taken()
        except Exception as error:
            if not self._is_watched:
                self._http.log(f"manyhands: job {self._id or ''} did not get all its inputs: {error}")

    def _wait_verified(self, condition: Callable[[], bool], stop: _Stop, timeout: float | None = None) -> None:
        """Waits for a condition on the inputs. Raises the refusal of the inputs, too."""
        self._wait(lambda: self._refusal is not None or condition(), stop, timeout)
        if self._refusal is not None and not condition():
            raise self._refusal

    # For the program.

    @property
    def id(self) -> str:
        """The job's id; waits until the server has made the job."""
        self._is_watched = True
        return self._await_id(self._stop)

    def submitted(self, timeout: float | None = None) -> None:
        """Waits until every input is on the server's disk: from then on the job goes on without this program."""
        self._is_watched = True
        self._wait_verified(lambda: self._taken == math.inf, self._stop, timeout)

    def __iter__(self) -> Iterator[Outcome]:
        return self.outcomes()

    def outcomes(self, after: int = 0, follow: bool = True) -> Iterator[Outcome]:
        """Outcomes in the order of completion. A task that is requeued after a failure comes again.

        Leaving the loop cancels the job when it was made with ``on_break="cancel"``.

        Args:
            after: start after the outcome with this ``seq``; 0 is the beginning
            follow: False: end after the present outcomes, not with the job

        Raises:
            PlatformError: JOB_CANCELLED, JOB_QUARANTINED or JOB_BLOCKED at the end of such a job
        """
        try:
            yield from self._until_finished(after, follow, self._stop)
        except GeneratorExit:
            if self._on_break == "cancel":
                self.cancel()
            raise

    def gather(self, timeout: float | None = None, progress: bool | None = None) -> list[Any]:
        """Waits for every output, and returns them in the order of the inputs.

        Args:
            timeout: seconds to wait; None: as long as the job takes
            progress: True: a bar on standard error, when that is a terminal

        Raises:
            TaskFailedError: tasks failed
            PlatformError: JOB_CANCELLED, JOB_QUARANTINED, JOB_BLOCKED, …
            TimeoutError: the time was over; the job goes on
        """
        with self._limited(timeout) as stop, self._bar(progress):
            gathering = self._gathering
            if gathering is None:
                return self._gather(stop)
            self._wait(gathering.done, stop)
            try:
                return list(gathering.result())
            except BaseException:
                # A failed job may go on later, so the next call starts anew.
                self._gathering = None
                raise

    def _gather(self, stop: _Stop) -> list[Any]:
        outputs: dict[int, Any] = {}
        failures: dict[int, TaskError] = {}

        def take(outcome: Outcome) -> None:
            self._deliver(outcome)
            if outcome.error is None:
                failures.pop(outcome.index, None)
                outputs[outcome.index] = outcome.output
            elif self._fail_fast:
                raise TaskFailedError([outcome.error], self.cancel()["counts"]["total"])
            else:
                failures[outcome.index] = outcome.error

        end = self._each(take, stop)
        self._raise_unless_finished(end)
        if failures:
            raise TaskFailedError([failures[index] for index in sorted(failures)], end.counts["total"])
        return [outputs[index] for index in range(end.counts["total"])]

    def _gather_into(self, gathering: concurrent.futures.Future[list[Any]]) -> None:
        try:
            gathering.set_result(self._gather(self._stop))
        except BaseException as error:
            gathering.set_exception(error)
        with self._http.news:
            self._http.news.notify_all()

    def _deliver(self, outcome: Outcome) -> None:
        """Calls ``on_result``, once for each outcome."""
        if self._on_result is None or outcome.seq <= self._told_seq:
            return
        self._told_seq = outcome.seq
        try:
            self._on_result(outcome)
        except BaseException as error:
            self._give_up(error)
            raise

    def __await__(self) -> Generator[Any, None, list[Any]]:
        import asyncio

        return asyncio.get_running_loop().run_in_executor(None, self.gather).__await__()

    def outputs(self, per_task: int | None = None) -> Outputs:
        """The outputs as inputs of another job: ``hands.map(kernel, job.outputs())``.

        They stay on the server. A task that fails here has a failed task there.

        Args:
            per_task: each input is the list of the outputs of so many neighbouring tasks (2 … 1024), the last of fewer. A
                job with such inputs needs all of them: while a task here has failed, it is blocked
        """
        return Outputs(self, per_task)

    def reduce(
        self, combine: str | os.PathLike[str] | Callable[..., Any], *, fan_in: int = _FAN_IN, **options: Any
    ) -> Reduction:
        """Combines the outputs into one value on the clients. Returns at once; gather the reduction.

        Neighbouring outputs are combined, then what that gave, level by level. The order is that of the inputs, so equal
        outputs give equal bits, whichever clients combine them.

        Args:
            combine: an associative function in Python, or the text of one in JavaScript, ``"(a, b) => a + b"``, or a kernel
                module that exports one as ``combine``
            fan_in: outputs that one task combines, 2 … 1024; a task has all of them in memory
            options: of the jobs that combine, as in :meth:`Hands.map`

        Raises:
            PlatformError: BAD_ARGUMENT, FILE_FAILED
        """
        _check_count("fan_in", fan_in, 2, _OUTPUTS_PER_TASK)
        _check_reduction_options(options)
        if _is_python(combine):
            source: _Code = _combining_function(combine, options.get("on"))
        else:
            source = _combining_source(combine, None, options.get("compare"))
        return Reduction(self, source, fan_in, options, options.get("name") or self._hands._name or "combine")

    def settled(self, timeout: float | None = None, progress: bool | None = None) -> list[SettledTask]:
        """Waits for the end of the job, and returns how each task ended; raises when the server cannot be asked."""
        tasks: dict[int, SettledTask] = {}

        def take(outcome: Outcome) -> None:
            status = "failed" if outcome.error else "done"
            tasks[outcome.index] = SettledTask(outcome.index, status, outcome.output, outcome.error)

        with self._limited(timeout) as stop, self._bar(progress):
            end = self._each(take, stop)
        # A quarantined or blocked job has one reason for all unfinished tasks, not a failure of each.
        failures = self.status()["failures"] if end.state in ("quarantined", "blocked") else []
        for index in range(end.counts["total"]):
            if index not in tasks and failures:
                tasks[index] = SettledTask(index, "failed", None, TaskError._of({**failures[-1], "index": index}))
            elif index not in tasks:
                tasks[index] = SettledTask(index, "cancelled")
        return [tasks[index] for index in range(end.counts["total"])]

    def status(self) -> dict[str, Any]:
        """State of the job as ``GET /api/jobs/{id}`` tells it: counts, rate, estimated end, first failures."""
        return self._http.ask("GET", f"api/jobs/{self.id}")

    def cost(self) -> dict[str, Any]:
        """What clients spent on the job so far: ``computedMs`` of their slots, ``attempts``, and the ``slowest`` tasks."""
        return self._http.ask("GET", f"api/jobs/{self.id}/cost")

    def statement(self) -> dict[str, Any]:
        """Counts of the verification of volunteers' results so far: ``strangers`` (accepted), ``audited``, ``wrong`` …"""
        return self.status()["statement"]

    def provisional(self, follow: bool = False, after: int | None = None) -> Iterator[ProvisionalNews]:
        """Results of volunteers that are not accepted yet, lowest index first. Any of them may be wrong.

        With ``follow`` each later result comes as it is delivered, and one notice (``accepted`` or ``withdrawn``) for each
        result, until the job has ended. Nothing comes twice across broken connections and restarts of the server.

        Args:
            follow: go on until the job has ended
            after: only results of tasks with a greater index
        """
        path = f"api/jobs/{self.id}/provisional"
        return self._follow_provisional(path, after) if follow else self._present_provisional(path, after)

    def set_verify(
        self, verify: str | dict[str, int] | None = None, compare: str | dict[str, float] | None = None
    ) -> dict[str, Any]:
        """Changes the verification of volunteers' results; what is not given stays as it is.

        Volunteers get tasks of a job that is not reproducible (``statement()["irreproducible"]``) only after such a change.

        Raises:
            PlatformError: WRONG_STATE when the job has ended, BAD_REQUEST for values that do not go together
        """
        given = {"verify": verify, "compare": compare}
        body = {name: value for name, value in given.items() if value is not None}
        return self._http.ask("PUT", f"api/jobs/{self.id}/verify", body)

    def cancel(self) -> dict[str, Any]:
        """Cancels the job: running kernels are terminated; results so far stay."""
        return self._act("cancel")

    def pause(self) -> dict[str, Any]:
        """Hands out no more tasks until :meth:`resume`; running tasks finish."""
        return self._act("pause")

    def resume(self) -> dict[str, Any]:
        """Goes on after :meth:`pause`."""
        return self._act("resume")

    def requeue_failed(self, message: str | None = None) -> int:
        """Tries the failed tasks once more, with all their attempts. Returns their number; gather or iterate again.

        Args:
            message: only tasks whose failure has this text in its message
        """
        only = None if message is None else {"message": message}
        requeued = self._http.ask("POST", f"api/jobs/{self.id}/requeue-failed", only)["requeued"]
        self._watched = _Stop(self._http.news, self._stop)
        self._gathering = None
        return requeued

    def attach(self, name: str, content: Any) -> dict[str, Any]:
        """Attaches a picture, text or table to the job, for the job's page: also after the job's end.

        Args:
            name: ends in ``.png``, ``.svg``, ``.txt`` or ``.csv``; one of the same name is replaced
            content: bytes, or text; at most 4 MiB
        """
        data = content.encode() if isinstance(content, str) else bytes(content)
        headers = {"content-type": "application/octet-stream"}
        return self._http.ask("PUT", self._attachment_path(name), body=data, headers=headers)

    def attachments(self) -> list[dict[str, Any]]:
        """What is attached to the job, in order of names."""
        return self._http.ask("GET", f"api/jobs/{self.id}/attachments")

    def attachment(self, name: str) -> bytes:
        """The bytes of an attachment."""
        return bytes(self._http.request(_Request("GET", self._attachment_path(name))).body)

    def detach(self, name: str) -> None:
        """Takes an attachment away."""
        self._http.ask("DELETE", self._attachment_path(name))

    def _attachment_path(self, name: str) -> str:
        return f"api/jobs/{self.id}/attachments/{urllib.parse.quote(name, safe='')}"

    def set_priority(self, priority: int) -> dict[str, Any]:
        """Jobs of higher priority go first; -1000 … 1000, by default 0."""
        return self._http.ask("POST", f"api/jobs/{self.id}/priority", {"priority": priority})

    def logs(self) -> list[dict[str, Any]]:
        """The newest lines that kernels of this job wrote with ``ctx.log``, oldest first."""
        return self._http.ask("GET", f"api/jobs/{self.id}/logs")

    def delete(self) -> None:
        """Makes the server forget the job with its results; running tasks are cancelled."""
        self._http.ask("DELETE", f"api/jobs/{self.id}")

    def on_progress(self, listener: Callable[[Progress], None]) -> None:
        """Calls ``listener`` in a thread of its own when the job's progress changes, at most four times a second."""
        watched = self._watched
        told = _Listener(listener)
        self._listeners.append(told)

        def watch() -> None:
            try:
                self._watch(told, watched)
            except BaseException:
                # The end of the job, or of its submission, is told by the job itself.
                if watched.error is None:
                    raise

        _start(watch, "progress")

    def __repr__(self) -> str:
        return f"<manyhands.Job {self._id or 'being made'}>"

    # Inside.

    def _act(self, verb: str) -> dict[str, Any]:
        return self._http.ask("POST", f"api/jobs/{self.id}/{verb}")

    @contextlib.contextmanager
    def _limited(self, timeout: float | None) -> Generator[_Stop, None, None]:
        stop = _Stop(self._http.news, self._stop)
        if timeout is None:
            yield stop
            return
        timer = threading.Timer(timeout, stop.set, [TimeoutError("The time for this is over; the job goes on.")])
        timer.daemon = True
        timer.start()
        try:
            yield stop
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def _bar(self, progress: bool | None) -> Generator[None, None, None]:
        wanted = self._progress if progress is None else progress
        if not wanted or not sys.stderr.isatty():
            yield
            return
        bar = _Bar()
        self.on_progress(bar.show)
        try:
            yield
        finally:
            bar.end()

    def _until_finished(self, after: int, follow: bool, stop: _Stop) -> Iterator[Outcome]:
        end = yield from self._outcomes(after, follow, stop)
        if end:
            self._raise_unless_finished(end)

    def _each(self, take: Callable[[Outcome], None], stop: _Stop) -> _End:
        """Calls ``take`` with every outcome until the job has ended."""
        outcomes = self._outcomes(0, True, stop)
        while True:
            try:
                outcome = next(outcomes)
            except StopIteration as over:
                return over.value
            take(outcome)

    def _outcomes(self, after: int, follow: bool, stop: _Stop) -> Generator[Outcome, None, _End | None]:
        """Outcomes of tasks whose inputs are known to be those that were given. Returns how the job ended."""
        self._is_watched = True
        self._await_id(stop)
        for frame in self._frames(after, follow, stop):
            if isinstance(frame, _End):
                if frame.state == "finished":
                    self._wait_verified(lambda: self._is_verified, stop)
                # A job that ended otherwise refuses inputs; only other inputs than its own are a failure then.
                self._wait(lambda: self._is_verified or self._refusal is not None, stop)
                self._wait(lambda: not self._is_being_left(), stop)
                stop.check()
                self._watched.set(PlatformError("WRONG_STATE", "The job has ended."))
                for listener in self._listeners:
                    listener.tell(Progress._at_end(frame))
                return frame
            for outcome in self._of_pack(frame, stop):
                index = outcome.index
                if not self._is_compared(index):
                    self._wait_verified(functools.partial(self._is_compared, index), stop)
                yield outcome
        return None

    def _is_being_left(self) -> bool:
        """Whether the program is about to get an error of its own instead of the end of the job."""
        if self._is_left:
            return True
        # A job fails with the submission of its source, which is cancelled a moment before.
        is_submitting = self._taken != math.inf and self._refusal is None
        return self._source is not None and is_submitting and self._source._is_being_left()

    def _is_compared(self, index: int) -> bool:
        # Inputs are compared at the beginning of a line of jobs that take outputs.
        job, start, end = self, index, index + 1
        while job._source is not None:
            per_task = job._per_task or 1
            job, start, end = job._source, start * per_task, end * per_task
        return not (start < job._known and job._taken < min(end, job._known))

    def _frames(self, after: int, follow: bool, stop: _Stop) -> Iterator[_Pack | _End]:
        """Frames of results, without gaps across broken connections: each request begins after the last result."""
        headers = {"accept": "application/x-manyhands-results"}
        cuts = 0
        while True:
            path = f"api/jobs/{self._id}/results?after={after}&follow={int(follow)}"
            with self._http.open(_Request("GET", path, headers=headers, stop=stop, may_shrink=True)) as reply:
                source, is_whole = _plain(reply), False
                while True:
                    try:
                        body = _next_frame(source)
                    except _FAILURES:
                        break
                    if body is None:
                        is_whole = True
                        break
                    try:
                        frame = _read_frame(body)
                    except (ValueError, LookupError, TypeError, AttributeError) as error:
                        message = f"Results came in an unknown form: {error}."
                        raise PlatformError("UPGRADE_REQUIRED", message) from error
                    if isinstance(frame, _Pack) and frame.seqs:
                        after = frame.seqs[-1]
                    cuts = 0
                    yield frame
                    if isinstance(frame, _End):
                        return
            stop.check()
            if not follow and is_whole:
                return
            self._http.sleep(_pause(cuts), stop)
            cuts += 1

    def _lines(self, path: str) -> Generator[dict[str, Any], None, bool]:
        """The lines of one reply. Returns whether it was whole."""
        request = _Request(
            "GET", path, headers={"accept": "application/x-ndjson"}, stop=self._stop, may_shrink=True
        )
        try:
            with self._http.open(request) as reply:
                for line in _plain(reply):
                    if not line.endswith(b"\n"):
                        return False
                    if line.strip():
                        yield json.loads(line)
                return True
        except _FAILURES:
            self._stop.check()
            return False

    def _until_whole(self, attempt: Callable[[], Generator[_Item, None, bool]]) -> Iterator[_Item]:
        """Reads with ``attempt``, and again after each broken connection, until it returns that it has read all."""
        cuts = 0
        while True:
            items = attempt()
            while True:
                try:
                    item = next(items)
                except StopIteration as over:
                    if over.value:
                        return
                    break
                cuts = 0
                yield item
            self._http.sleep(_pause(cuts), self._stop)
            cuts += 1

    def _present_provisional(self, path: str, after: int | None) -> Iterator[ProvisionalNews]:
        def attempt() -> Generator[ProvisionalNews, None, bool]:
            # A task may have several results: the next attempt begins behind the last task whose results are all there.
            nonlocal after
            of_task: list[dict[str, Any]] = []
            lines = self._lines(path if after is None else f"{path}?after={after}")
            while True:
                try:
                    line = next(lines)
                except StopIteration as over:
                    if over.value:
                        yield from map(_news_of, of_task)
                    return bool(over.value)
                if "message" in line:
                    continue
                if of_task and of_task[0]["index"] != line["index"]:
                    after = of_task[0]["index"]
                    yield from map(_news_of, of_task)
                    of_task = []
                of_task.append(line)

        return self._until_whole(attempt)

    def _follow_provisional(self, path: str, after: int | None) -> Iterator[ProvisionalNews]:
        # The digest of the output, and the number of the newest snapshot, of each result without a notice.
        given: dict[tuple[int, str], tuple[bytes, int]] = {}
        # Sequence number up to which the outcomes include no given result.
        since: int | None = None
        snapshot = 0

        def settle(over: dict[tuple[int, str], bytes]) -> Iterator[ProvisionalNews]:
            for key, state in self._fates_of(over, since or 0):
                del given[key]
                yield ProvisionalNews(state, *key)

        def attempt() -> Generator[ProvisionalNews, None, bool]:
            nonlocal since, snapshot
            is_whole = False
            for line in self._lines(f"{path}?follow=1" + ("" if after is None else f"&after={after}")):
                state = line["state"]
                if state == "snapshot":
                    snapshot += 1
                    since = line["seq"] if since is None else since
                    is_whole = False
                elif state == "current":
                    if not is_whole:
                        yield from settle({key: digest for key, (digest, seen) in given.items() if seen != snapshot})
                    is_whole = True
                    since = line["seq"]
                elif state == "provisional":
                    # An unreadable output, which only a hostile client makes, will not be accepted.
                    if "message" in line:
                        continue
                    key, digest = (line["index"], line["client"]), _digest_of(line)
                    known = given.get(key)
                    given[key] = (digest, snapshot)
                    if known and known[0] == digest:
                        continue
                    if known:
                        yield ProvisionalNews("withdrawn", *key)
                    yield _news_of(line)
                elif state == "end":
                    yield from settle({key: digest for key, (digest, _) in given.items()})
                    return True
                elif given.pop((line["index"], line["client"]), None):
                    yield ProvisionalNews(state, line["index"], line["client"])
            return False

        return self._until_whole(attempt)

    def _fates_of(
        self, results: dict[tuple[int, str], bytes], since: int
    ) -> Iterator[tuple[tuple[int, str], str]]:
        """Tells which results are outcomes by now: those whose tasks have these outputs. The others are withdrawn."""
        left: dict[int, list[tuple[int, str]]] = {}
        for key in results:
            left.setdefault(key[0], []).append(key)

        def outcomes() -> Generator[dict[str, Any], None, bool]:
            nonlocal since
            lines = self._lines(f"api/jobs/{self._id}/results?after={since}")
            while True:
                try:
                    line = next(lines)
                except StopIteration as over:
                    return bool(over.value)
                since = line.get("seq", since)
                yield line

        for line in self._until_whole(outcomes) if left else ():
            for key in left.pop(line.get("index", -1), ()):
                is_outcome = line["state"] == "done" and results[key] == _digest_of(line)
                yield key, "accepted" if is_outcome else "withdrawn"
            if not left:
                return
        for keys in left.values():
            for key in keys:
                yield key, "withdrawn"

    def _of_pack(self, pack: _Pack, stop: _Stop) -> Iterator[Outcome]:
        waiting = iter(sorted(pack.large.items()))
        fetched: deque[tuple[int, concurrent.futures.Future[memoryview]]] = deque()

        def fetch_ahead() -> None:
            while len(fetched) < _MOVED_AT_ONCE:
                large = next(waiting, None)
                if large is None:
                    return
                fetched.append((large[0], self._hands._later(stop, _get_blob, self._http, large[1], _ALIGNING, stop)))

        at = 0
        for position, (seq, index, size) in enumerate(zip(pack.seqs, pack.indexes, pack.sizes)):
            end = at + size
            if position in pack.failures:
                yield Outcome(seq, index, None, TaskError._of(pack.failures[position]))
            elif position in pack.large:
                fetch_ahead()
                future = fetched.popleft()[1]
                fetch_ahead()
                try:
                    outcome = _outcome_of(seq, index, future.result())
                except PlatformError as error:
                    stop.check()
                    if error.code not in _LOST_CODES:
                        raise
                    outcome = Outcome(seq, index, None, _unreadable(index, "data", error.message))
                yield outcome
            else:
                yield _outcome_of(seq, index, pack.data[at:end])
            at = end

    def _raise_unless_finished(self, end: _End) -> None:
        if end.state == "finished":
            return
        if end.state == "blocked":
            raise PlatformError("JOB_BLOCKED", _why_blocked(self.status()))
        if end.state != "quarantined":
            done, total = end.counts["done"], end.counts["total"]
            message = f"Job {self._id} was {end.state} with {done} of {total} tasks done."
            raise PlatformError("JOB_CANCELLED", message)
        info = self.status()
        failures = [TaskError._of(failure) for failure in info["failures"]]
        raise PlatformError("JOB_QUARANTINED", _why_quarantined(info)) from TaskFailedError(
            failures, end.counts["total"]
        )

    def _watch(self, listener: _Listener, watched: _Stop) -> None:
        path = f"api/jobs/{self._await_id(watched)}/progress"
        while True:
            try:
                with self._http.open(_Request("GET", path, patience=0.0, stop=watched)) as reply:
                    for line in reply:
                        if not line.strip():
                            continue
                        progress = Progress._of(json.loads(line))
                        listener.tell(progress)
                        if progress.has_ended:
                            return
            except PlatformError as error:
                if not error.retryable:
                    return
            except (*_FAILURES, ValueError):
                # The connection broke; the next request tells the newest.
                pass
            self._http.sleep(1.0, watched)


_Item = TypeVar("_Item")


def _news_of(line: dict[str, Any]) -> ProvisionalNews:
    try:
        return ProvisionalNews("provisional", line["index"], line["client"], _from_json(line["output"]))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"A provisional result came in an unknown form: {error}."
        raise PlatformError("UPGRADE_REQUIRED", message) from error


def _digest_of(line: dict[str, Any]) -> bytes:
    """Digest of an output, because the output itself may be large."""
    return hashlib.sha256(json.dumps(line["output"]).encode()).digest()


def _next_frame(source: io.BufferedReader) -> bytearray | None:
    """The body of the next frame that has one; None at the end of the reply. Raises one of ``_FAILURES`` where it is cut."""
    while True:
        head = source.read(4)
        if not head:
            return None
        size = int.from_bytes(head, "big")
        if len(head) == 4 and size > _FRAME_BYTES:
            raise PlatformError("UPGRADE_REQUIRED", f"Results came in an unknown form: a frame of {size} bytes.")
        body = bytearray(size)
        if len(head) < 4 or source.readinto(body) < size:
            raise http.client.IncompleteRead(b"")
        if size > 0:
            return body


class _Bar:
    """A progress bar on standard error."""

    _WIDTH = 30

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_over = False
        self._length = 0

    def show(self, progress: Progress) -> None:
        filled = int(self._WIDTH * progress.fraction)
        parts = [f"{'█' * filled}{'░' * (self._WIDTH - filled)} {progress.fraction:4.0%}"]
        parts.append(f"{progress.done + progress.failed}/{progress.total}")
        if progress.failed:
            parts.append(f"{progress.failed} failed")
        if progress.paused:
            parts.append("paused")
        elif progress.remaining is not None and not progress.has_ended:
            minutes, seconds = divmod(int(progress.remaining), 60)
            parts.append(f"{progress.rate:.1f}/s, {minutes // 60}:{minutes % 60:02}:{seconds:02} left")
        self._write(" · ".join(parts))

    def end(self) -> None:
        with self._lock:
            self._is_over = True
            if self._length:
                sys.stderr.write("\n")
                sys.stderr.flush()

    def _write(self, line: str) -> None:
        line = line[: shutil.get_terminal_size().columns - 1]
        with self._lock:
            if self._is_over:
                return
            sys.stderr.write(f"\r{line.ljust(self._length)}")
            sys.stderr.flush()
            self._length = len(line)


class Outputs:
    """The outputs of a job as the inputs of another, made by :meth:`Job.outputs`.

    They do not pass through the program: the server passes each on when it is accepted.
    """

    def __init__(self, job: Job, per_task: int | None) -> None:
        self._job = job
        self._per_task = per_task

    def __repr__(self) -> str:
        return f"<outputs of {self._job!r}>"


class Reduction:
    """Outputs that become one value on the clients, made by :meth:`Hands.reduce` and :meth:`Job.reduce`.

    ``gather()`` gives the value; in ``asyncio``, ``await reduction`` does.
    """

    def __init__(
        self, first: Job, source: _Code, fan_in: int, options: dict[str, Any], name: str, count: int | None = None
    ) -> None:
        self._first = first
        self._http = first._http
        self._source = source
        self._fan_in = fan_in
        self._options = options
        self._name = name
        #: Number of the first job's outputs, where it is known beforehand.
        self._count = count
        self._lock = threading.Lock()
        self._making: concurrent.futures.Future[list[Job]] | None = None
        _reducing.add(self)
        self._made_or_begun()

    def gather(self, timeout: float | None = None, progress: bool | None = None) -> Any:
        """Waits for the value.

        Args:
            timeout: seconds to wait; None: as long as the jobs take
            progress: True: a bar on standard error of the first job, when that is a terminal

        Raises:
            TaskFailedError: tasks failed
            PlatformError: JOB_CANCELLED, JOB_QUARANTINED, JOB_BLOCKED, …
            TimeoutError: the time was over; the jobs go on
        """
        until = None if timeout is None else time.monotonic() + timeout
        with self._first._bar(progress):
            with self._first._limited(timeout) as stop:
                jobs = self._jobs(stop)
            with jobs[-1]._limited(None if until is None else max(0.0, until - time.monotonic())) as stop:
                try:
                    outputs = jobs[-1]._gather(stop)
                except PlatformError as error:
                    raise _first_failure(jobs, error) from error
        if len(outputs) == 1:
            return outputs[0]
        if outputs:
            raise _bad("The inputs became more while they were submitted.")
        raise _bad("There are no outputs to combine; expected at least one input.")

    def __await__(self) -> Generator[Any, None, Any]:
        import asyncio

        return asyncio.get_running_loop().run_in_executor(None, self.gather).__await__()

    def submitted(self, timeout: float | None = None) -> None:
        """Waits until the server has everything: from then on the work goes on without this program."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._first._limited(timeout) as stop:
            jobs = self._jobs(stop)
        for job in jobs:
            job.submitted(None if until is None else max(0.0, until - time.monotonic()))

    def job_ids(self) -> list[str]:
        """Ids of the jobs (``hands.job(id)``), from the one that has the inputs to the one whose only output is the value."""
        return [job.id for job in self._jobs(self._first._stop)]

    def cancel(self) -> None:
        """Cancels all of it."""
        # The other jobs are made when the number of outputs is known, which may be never without this.
        self._first.cancel()
        for job in self._made_jobs()[1:]:
            job.cancel()

    def requeue_failed(self) -> int:
        """Tries failed tasks once more, with all their attempts. Returns their number; gather again."""
        requeued = 0
        for job in self._made_jobs():
            info = job.status()
            if info["counts"]["failed"] > 0 and info["state"] != "blocked":
                requeued += job.requeue_failed()
        return requeued

    def __repr__(self) -> str:
        return f"<manyhands.Reduction of {self._first!r}>"

    # Inside.

    def _made_or_begun(self) -> concurrent.futures.Future[list[Job]]:
        """The jobs, which begin to be made anew after a failure."""
        with self._lock:
            if self._making is None or (self._making.done() and self._making.exception()):
                self._making = concurrent.futures.Future()
                if self._count is not None:
                    self._make(self._making)
                else:
                    _start(functools.partial(self._make, self._making), "reduction")
            return self._making

    def _jobs(self, stop: _Stop) -> list[Job]:
        making = self._made_or_begun()
        self._first._is_watched = True
        self._first._wait(making.done, stop)
        return making.result()

    def _made_jobs(self) -> list[Job]:
        """The first job, and the others where they could be made."""
        try:
            return self._jobs(self._first._stop)
        except BaseException:
            return [self._first]

    def _make(self, making: concurrent.futures.Future[list[Job]]) -> None:
        try:
            jobs = [self._first]
            count = _count_of(self._first) if self._count is None else self._count
            while count > 1:
                count = -(-count // self._fan_in)
                jobs.append(self._combine(jobs[-1], len(jobs), count == 1))
            making.set_result(jobs)
        except BaseException as error:
            making.set_exception(error)
        with self._http.news:
            self._http.news.notify_all()

    def _combine(self, job: Job, level: int, is_last: bool) -> Job:
        options = dict(self._options)
        key = options.pop("key", None)
        if key is not None:
            options["key"] = f"{key}/combine-{level}"
        elif not is_last and options.get("keep") is None:
            options["keep"] = _KEEP_BETWEEN
        options["name"] = self._name if is_last and level == 1 else f"{self._name}, level {level}"
        return job._hands.map(self._source, job.outputs(self._fan_in), **options)

    def _await_made(self) -> None:
        """Waits for the jobs at the end of the program or connection."""
        with contextlib.suppress(Exception):
            self._jobs(self._first._stop)


def _count_of(job: Job) -> int:
    """The number of outputs that a job will have. Raises the failure of a job that ended before it had all its inputs."""
    job._await_taken()
    while True:
        info = job._http.ask("GET", f"api/jobs/{job._id}", stop=job._stop)
        if info["state"] in ("closed", "finished"):
            return info["counts"]["total"]
        failure = _failure_of(info)
        if failure:
            raise failure
        job._http.sleep(_COUNT_POLL, job._stop)


def _first_failure(jobs: Sequence[Job], error: PlatformError) -> PlatformError:
    """The failure that began it: jobs behind that are only blocked."""
    if error.code == "JOB_BLOCKED":
        for job in jobs:
            failure = _failure_of(job.status())
            if failure:
                return failure
    return error


def _failure_of(info: dict[str, Any]) -> PlatformError | None:
    state, counts = info["state"], info["counts"]
    if state == "cancelled":
        told = f"Job {info['id']} was cancelled with {counts['done']} of {counts['total']} tasks done."
        return PlatformError("JOB_CANCELLED", told)
    if state == "blocked":
        return PlatformError("JOB_BLOCKED", _why_blocked(info))
    failures = [TaskError._of(failure) for failure in info["failures"]]
    if state == "quarantined":
        failure = PlatformError("JOB_QUARANTINED", _why_quarantined(info))
        failure.__cause__ = TaskFailedError(failures, counts["total"], counts["failed"])
        return failure
    if state == "finished" and counts["failed"] > 0:
        return TaskFailedError(failures, counts["total"], counts["failed"])
    return None


def _check_count(name: str, value: Any, least: int, most: int) -> None:
    if not isinstance(value, int) or not least <= value <= most:
        raise _bad(f"{name} is {value}; expected a whole number from {least} to {most}.")


def _check_reduction_options(options: dict[str, Any]) -> None:
    for name in ("check", "on_break", "on_result", "window"):
        if name in options:
            raise TypeError(f"a reduction has no option {name!r}")


def _groups(inputs: Iterable[Any], per_task: int) -> Iterator[list[Any]]:
    """Lists of so many inputs, the last of fewer."""
    group: list[Any] = []
    for value in inputs:
        group.append(value)
        if len(group) == per_task:
            yield group
            group = []
    if group:
        yield group


def _start(target: Callable[[], None], what: str) -> threading.Thread:
    thread = threading.Thread(target=target, name=f"manyhands-{what}", daemon=True)
    thread.start()
    return thread


def as_completed(jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome]]:
    """Outcomes of several jobs in the order in which they arrive, each with its job.

    Raises:
        PlatformError: of the first job that ends otherwise than well
    """
    news: queue.Queue[tuple[Job, Any]] = queue.Queue(maxsize=256)
    stops: list[_Stop] = []
    left = PlatformError("WRONG_STATE", "The loop over the outcomes was left.")

    def put(job: Job, told: Any, stop: _Stop) -> None:
        while stop.error is not left:
            with contextlib.suppress(queue.Full):
                news.put((job, told), timeout=0.5)
                return

    def read(job: Job, stop: _Stop) -> None:
        try:
            for outcome in job._until_finished(0, True, stop):
                put(job, outcome, stop)
            put(job, None, stop)
        except BaseException as error:
            put(job, error, stop)

    try:
        for job in jobs:
            stop = _Stop(job._http.news, job._stop)
            stops.append(stop)
            _start(functools.partial(read, job, stop), "results")
        ended = 0
        while ended < len(stops):
            job, told = news.get()
            if told is None:
                ended += 1
            elif isinstance(told, BaseException):
                raise told
            else:
                yield job, told
    finally:
        for stop in stops:
            stop.set(left)


# ---------------------------------------------------------------------------------------------------------------------
# The connection

_DEFAULT_SERVER = "http://localhost:9990"
_JOB_ID = re.compile(r"j_[a-z2-7]{16}")


def connect(
    spec: str | None = None,
    *,
    token: str | None = None,
    name: str | None = None,
    priority: int | None = None,
    connect_timeout: float = 5.0,
    patience: float = math.inf,
    silence: float = 15.0,
    log: Callable[[str], None] | None = None,
) -> Hands:
    """Connects to a server, and checks that it accepts the token.

    Args:
        spec: ``dc:HOST:PORT``, the address of a server, or addresses of several servers of the same data, separated
            by commas (``http://a:9990,http://b:9990``); else ``MANYHANDS_PARALLEL``, else ``MANYHANDS_SERVER``,
            else the server on this machine
        token: access token; else ``MANYHANDS_TOKEN``, or the token that a server on this machine left for its user
        name: name of jobs that have none of their own
        priority: priority of jobs that have none of their own
        connect_timeout: seconds to reach the server at first
        patience: seconds that a request is repeated while the server is away or too busy; without end unless given
        silence: seconds without a byte after which a connection with a request under way counts as dead
        log: called with a line when the server has been away for 10 s, and when it is back; else standard error

    Raises:
        PlatformError: UNREACHABLE, UNAUTHENTICATED, FORBIDDEN, BAD_OPTION, BAD_ARGUMENT
    """
    text = spec if spec is not None else (os.environ.get("MANYHANDS_PARALLEL", "").strip() or None)
    options: dict[str, str] = {}
    if text is None:
        url = os.environ.get("MANYHANDS_SERVER", "").strip() or _DEFAULT_SERVER
    else:
        parsed = _parse_spec(text)
        url, options = parsed.url, parsed.options
    addresses = _server_addresses(url)
    given = _clean_token(token) or _clean_token(options.get("token")) or _clean_token(os.environ.get("MANYHANDS_TOKEN"))
    log = log or (lambda line: print(line, file=sys.stderr))
    if os.environ.get("MANYHANDS_SIGN_KEY", "").strip():
        log("manyhands: kernels of Python programs are not signed; MANYHANDS_SIGN_KEY has no effect here.")
    http_ = _Http(addresses, lambda asked: given or _local_token([asked, *addresses]), patience, silence, log)
    if priority is None and "priority" in options:
        priority = int(options["priority"])
    hands = Hands(http_, name if name is not None else options.get("name"), priority)
    try:
        status = http_.ask("GET", "api/status", patience=connect_timeout)
        if not isinstance(status, dict) or "version" not in status:
            raise PlatformError("NOT_FOUND", f"What answers at {http_.url} is no Manyhands server.", _SERVER_HINT)
        return hands
    except BaseException:
        hands.close()
        raise


class Hands:
    """A connection to a server with a customer's verbs, made by :func:`connect`. Any thread may call its methods."""

    def __init__(self, http_: _Http, name: str | None, priority: int | None) -> None:
        self._http = http_
        self._name = name
        self._priority = priority
        #: Kernels that are known to be on the server.
        self._kernels: set[str] = set()
        #: The code around programs, once it was asked for.
        self._wasi: str | None = None
        #: Computes the tasks of :meth:`submit`.
        self._executor: ManyhandsExecutor | None = None
        self._making = threading.Lock()
        self._moving: concurrent.futures.ThreadPoolExecutor | None = None

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._http.url

    def __enter__(self) -> Hands:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits until inputs that are under way are on the server's disk, unless an exception ends the block."""
        try:
            if kind is None:
                if self._executor:
                    self._executor.shutdown(wait=False)
                for reduction in list(_reducing):
                    if reduction._first._hands is self:
                        reduction._await_made()
                for job in list(_submitting):
                    if job._hands is self:
                        job._await_inputs()
        finally:
            self.close()

    def close(self) -> None:
        """Ends this connection: waiting calls raise. Jobs go on with the inputs that the server has.

        Jobs of :meth:`submit` are closed first.
        """
        if self._executor:
            self._executor._close_jobs()
        self._http.close()
        if self._moving:
            self._moving.shutdown(wait=False)

    def map(
        self,
        kernel: _Kernel,
        inputs: Iterable[Any] | Outputs,
        *,
        name: str | None = None,
        key: str | None = None,
        priority: int | None = None,
        max_attempts: int | None = None,
        timeout_ms: int | None = None,
        memory_mb: int | None = None,
        seed: str | None = None,
        requires: dict[str, Any] | None = None,
        verify: str | dict[str, int] | None = None,
        compare: str | dict[str, float] | None = None,
        check: bool = False,
        math: str | None = None,
        wheels: Sequence[str | os.PathLike[str] | DataReference] = (),
        on: str | None = None,
        fail_fast: bool | None = None,
        keep: float | None = None,
        group: str | None = None,
        description: str | None = None,
        public: bool = False,
        after: Sequence[str | Job] = (),
        window: int | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        on_result: Callable[[Outcome], None] | None = None,
        on_break: str = "leave",
        progress: bool = False,
    ) -> Job:
        """Applies a kernel to every input on the clients of the server. Returns at once; gather or iterate the job.

        Inputs may be endless or slow: a thread of the connection enumerates them as fast as the server takes them.

        Args:
            kernel: a function of ``(input)`` or ``(input, ctx)``, which runs in Python as ``docs/python.md`` says; a
                :func:`program` or :func:`command`; or the text of a JavaScript function of ``(input, ctx)``, or the path
                of a module whose default export is one (a ``Path``, or a text that ends in ``.js`` or ``.mjs``); it may
                import ``.wasm`` files beside it
            inputs: one input a task; ``docs/values.md`` and ``docs/python.md`` say what can be one. Or the ``outputs()`` of
                a job, each of which the server passes on when it is accepted, to the task of the same index
            name: of the job; else that of its kernel
            key: names the job across restarts of this program: with the same key, kernel and inputs it goes on with the
                same job, and gets every result from the first
            priority: jobs of higher priority go first
            max_attempts: attempts of a task before it counts as failed
            timeout_ms: longest run of one task, in milliseconds
            memory_mb: memory of one task
            seed: of ``ctx.random()``
            requires: which clients may compute it, as in the REST interface: ``{"trusted": True, "kind": "node"}``
            verify: how results of volunteers are verified: ``"audit"`` (the default), ``{"quorum": n}``, ``"trusted"`` or
                ``"off"``; ``docs/verification.md`` says which suits which job
            compare: when two results agree: ``"bits"`` (the default), ``{"abs": …, "rel": …}`` or ``"kernel"``, its function
                ``compare(a, b)``
            check: True: the kernel module's ``check(input, output)`` looks at every result of a volunteer
            math: ``"native"``: ``Math``, clocks and languages of kernels are those of each client, and not the same everywhere
            wheels: packages that a function in Python imports: wheels of pure Python, as paths or data references
            on: for a function in Python: the command of trusted clients, such as ``"python3"``, whose own Python computes it,
                with the packages that are installed there (``docs/commands.md``)
            fail_fast: None: a job whose first tasks all fail alike is quarantined; False: every task is tried; True:
                also as soon as a task has failed, gathering raises and the job is cancelled
            keep: seconds after its end at which the job is deleted with its results; None: as long as the server keeps jobs
            group: jobs of one group are listed and cancelled together
            description: what the job is for, for the people whose machines compute it
            public: True: the public page of the project, where there is one, tells the job's name and yours
            after: jobs, or their ids, that must finish without a failed task first
            window: most unfinished tasks on the server, for endless inputs
            on_progress: called in a thread of its own when the job's progress changes
            on_result: called in a thread of its own with each outcome, failed tasks included, in the order of completion
                and once each; ``gather()`` returns after the last call. What it raises is raised by the job, which is
                cancelled unless it has a key
            on_break: ``"cancel"``: leaving a loop over the job before its end cancels it; ``"leave"``: the job goes on
            progress: True: ``gather()`` shows a bar on standard error, when that is a terminal

        Raises:
            PlatformError: BAD_ARGUMENT, FILE_FAILED: the kernel or the inputs. What the server refuses is raised by the
                job.
        """
        source, own_name = _code_of(kernel, on)
        _check_inputs(inputs)
        if isinstance(source, _ProgramCode):
            source.program._check(_memory_bytes(memory_mb))
        if wheels and not isinstance(source, _PythonFunction):
            raise _bad("wheels are packages for a function in Python, and the kernel is none.")
        if isinstance(source, _PythonFunction):
            source = replace(source, wheels=tuple(wheels))
        if (check or compare == "kernel") and not isinstance(kernel, _ProgramCode) and not isinstance(source, str):
            what = "a function in Python" if isinstance(source, _PythonFunction) else "a program"
            raise _bad(f'check=True and compare="kernel" are functions of a kernel module, and the kernel is {what}.')
        if isinstance(inputs, Outputs) and window is not None:
            raise _bad("window is for inputs that this program sends, and these are the outputs of a job.")
        job = Job(self, None, fail_fast, progress, on_result, on_break, has_key=key is not None)
        options: dict[str, Any] = {
            "priority": self._priority if priority is None else priority,
            "maxAttempts": max_attempts,
            "timeoutMs": timeout_ms,
            "memoryMb": memory_mb,
            "seed": seed,
            "requires": requires,
            "verify": verify,
            "compare": compare,
            "check": True if check else None,
            "math": math,
            "failFast": False if fail_fast is False else None,
            "keepMs": None if keep is None else round(keep * 1000),
            "group": group,
            "description": description,
            "public": True if public else None,
            "name": name or self._name or own_name,
            # With a random key a repeated request finds the job that a lost reply had made.
            "key": key if key is not None else f"once-{uuid.uuid4()}",
        }
        if isinstance(inputs, Outputs):
            job._source = inputs._job
            job._per_task = inputs._per_task
            options["outputsPerTask"] = inputs._per_task

        def create() -> dict[str, Any]:
            if isinstance(inputs, Outputs):
                options["inputsFrom"] = inputs._job._await_id(inputs._job._stop)
            return self._create(source, options, after, job)

        submission = _Submission(job, inputs, window)
        _submitting.add(job)
        _start(lambda: submission.run(create), "submission")
        if not isinstance(inputs, Outputs):
            _start(functools.partial(submission.enumerate, inputs), "inputs")
        if on_progress:
            job.on_progress(on_progress)
        return job

    def starmap(self, kernel: _Kernel, inputs: Iterable[Sequence[Any]] | Outputs, **options: Any) -> Job:
        """As :meth:`map`, for a kernel of several arguments: each input is the list or tuple of a task's arguments.

        The last parameter of the kernel is ``ctx``, behind the arguments: ``starmap("(a, b) => a + b", zip(a, b))``.

        Raises:
            PlatformError: BAD_ARGUMENT as :meth:`map`; the job raises it for an input that is no list
        """
        source, name = _code_of(kernel, options.get("on"))
        _check_inputs(inputs)
        options.setdefault("name", self._name or name)
        given = inputs if isinstance(inputs, Outputs) else _argument_lists(inputs)
        return self.map(_with_arguments(source), given, **options)

    def reduce(
        self,
        kernel: _Kernel,
        inputs: Iterable[Any] | Outputs,
        *,
        combine: str | os.PathLike[str] | Callable[..., Any] | None = None,
        per_task: int | None = None,
        fan_in: int = _FAN_IN,
        **options: Any,
    ) -> Reduction:
        """Applies a kernel to every input and combines the outputs into one value, on the clients. Returns at once.

        Each task applies the kernel to ``per_task`` inputs and combines their outputs before anything travels; what remains
        is combined ``fan_in`` at a time, level by level. Every input counts exactly once, in the order of the inputs, so the
        value has the same bits on any clients, as long as ``per_task`` and ``fan_in`` are the same::

            hands.reduce(count_hits, seeds, combine=operator.add).gather()

        Args:
            kernel: as in :meth:`map`
            inputs: as in :meth:`map`
            combine: for a function in Python another one, ``combine(a, b)``; for other kernels the text of a JavaScript
                function, or a module that exports one as ``combine``; None: the kernel module exports it. It is associative
            per_task: inputs of one task; by default about the square root of their number, 32 when that is not known
            fan_in: outputs that one task combines, 2 … 1024; a task has all of them in memory
            options: of the jobs, as in :meth:`map`, except ``check``, ``on_break``, ``on_result`` and ``window``

        Raises:
            PlatformError: BAD_ARGUMENT, FILE_FAILED: the kernel, the inputs, or nothing says how to combine
        """
        on, is_python = options.get("on"), _is_python(kernel)
        if (is_python or _is_python(combine)) and not (is_python and _is_python(combine)):
            raise _bad(
                "Of the kernel and combine one is a function in Python and the other is none; expected both in one language."
                if combine is not None
                else "Nothing says how the outputs are combined; expected combine=, a function in Python of two outputs."
            )
        own_name = _code_of(kernel, on)[1]
        _check_inputs(inputs)
        _check_reduction_options(options)
        is_fed = isinstance(inputs, Outputs)
        if isinstance(inputs, Outputs) and inputs._per_task is not None:
            told = f"The outputs are in groups of {inputs._per_task} already"
            raise _bad(f"{told}; expected job.outputs() without per_task.")
        known = len(inputs) if hasattr(inputs, "__len__") else None
        if per_task is None and known is not None:
            per_task = max(1, int(math.sqrt(known) + 0.5))
        elif per_task is None:
            per_task = _FAN_IN if is_fed else _PER_TASK
        _check_count("per_task", per_task, *((2, _OUTPUTS_PER_TASK) if is_fed else (1, _MAX_TASK_INDEX)))
        _check_count("fan_in", fan_in, 2, _OUTPUTS_PER_TASK)
        compare = options.get("compare")
        if is_python:
            folding: _Code = _folding_function(kernel, combine, per_task, on)
            combining: _Code = _combining_function(combine, on)
        else:
            folding = _folding_source(kernel, combine, per_task, compare)
            combining = _combining_source(kernel if combine is None else combine, kernel, compare)
        name = options.get("name") or self._name or own_name
        count = None if known is None else -(-known // per_task)
        own = {name: options.pop(name) for name in ("after", "on_progress", "progress") if name in options}
        if count != 1 and options.get("key") is None and options.get("keep") is None:
            own["keep"] = _KEEP_BETWEEN
        given = inputs._job.outputs(per_task) if isinstance(inputs, Outputs) else _groups(inputs, per_task)
        first = self.map(folding, given, **{**options, "name": name, **own})
        return Reduction(first, combining, fan_in, options, name, count)

    def submit(self, kernel: _Kernel, *args: Any) -> concurrent.futures.Future[Any]:
        """Computes one task, ``kernel(...args, ctx)``, and returns the future of its output.

        Tasks of one kernel that are submitted while others are unfinished, or within a second, share a job; options of
        such jobs are those of an :meth:`executor`. The future raises :class:`TaskError` when the kernel failed for good.
        """
        with self._making:
            if self._executor is None:
                self._executor = self.executor()
        return self._executor.submit(kernel, *args)

    def executor(self, **options: Any) -> ManyhandsExecutor:
        """Computes single tasks as :meth:`submit` does, in jobs with these options."""
        return ManyhandsExecutor(self, **options)

    def job(self, id: str, *, fail_fast: bool | None = None, progress: bool = False) -> Job:
        """An existing job, of this program or another."""
        if not isinstance(id, str) or not _JOB_ID.fullmatch(id):
            hint = "Check the id; `manyhands jobs` lists the jobs that exist."
            raise PlatformError("NOT_FOUND", f'"{id}" is no job id; expected one such as j_abcdefghij234567.', hint)
        return Job(self, id, fail_fast, progress)

    def jobs(self, **filters: Any) -> list[dict[str, Any]]:
        """Your jobs (all customers' for an administrator), newest first.

        Args:
            filters: ``group``, ``state``, ``search``, ``sort``, ``limit`` of ``GET /api/jobs``
        """
        most = filters.pop("limit", None)
        jobs: list[dict[str, Any]] = []
        cursor = None
        while most is None or len(jobs) < most:
            limit = min(1000, (most or math.inf) - len(jobs))
            query = {**filters, "limit": int(limit), "cursor": cursor}
            given = {name: value for name, value in query.items() if value is not None}
            path = f"api/jobs?{urllib.parse.urlencode(given)}"
            reply = self._http.request(_Request("GET", path, headers={"accept": "application/json"}))
            jobs += json.loads(reply.body)
            cursor = reply.headers.get("next-cursor")
            if not cursor:
                break
        return jobs

    def cancel_group(self, group: str) -> list[dict[str, Any]]:
        """Cancels the jobs of a group that have not ended, and returns them."""
        return self._http.ask("POST", f"api/groups/{urllib.parse.quote(group, safe='')}/cancel")["cancelled"]

    def put(self, source: Any) -> DataReference:
        """Stores bytes on the server under their SHA-256, and returns the reference to pass in inputs.

        Bytes that you have on the server are not sent. Memory never holds a whole file.

        Args:
            source: the path of a file (text or ``Path``), bytes or an array (its bytes, in C order), or a file that is
                open for reading bytes
        """
        if isinstance(source, (str, os.PathLike)):
            return self._put_path(Path(source))
        if hasattr(source, "read"):
            return self._put_open(source)
        data = _bytes_of(source)
        _refuse_large(len(data))
        return _put_bytes(self._http, data)

    def get(self, reference: DataReference) -> bytearray:
        """The bytes of a reference; a whole blob is checked against its name.

        ``numpy.frombuffer`` views them without a copy.

        Raises:
            PlatformError: NOT_FOUND, HASH_MISMATCH
        """
        data = _get_blob(self._http, reference).obj
        assert isinstance(data, bytearray)
        return data

    def stream(self, reference: DataReference) -> Iterator[bytes]:
        """The bytes of a reference in chunks, for data that is too large for memory."""
        return _stream_blob(self._http, reference)

    def status(self) -> dict[str, Any]:
        """Status of the server (``GET /api/status``)."""
        return self._http.ask("GET", "api/status")

    def capacity(self) -> dict[str, Any]:
        """Capacity of the clients together (``GET /api/capacity``)."""
        return self._http.ask("GET", "api/capacity")

    def clients(self) -> list[dict[str, Any]]:
        """The clients of the server (``GET /api/clients``)."""
        return self._http.ask("GET", "api/clients")

    def usage(self) -> list[dict[str, Any]]:
        """Your usage of the server and your quota (``GET /api/usage``)."""
        return self._http.ask("GET", "api/usage")

    def _create(
        self, source: _Code, options: dict[str, Any], after: Sequence[str | Job], job: Job
    ) -> dict[str, Any]:
        stop = job._stop

        def put(data: memoryview) -> DataReference:
            return _put_bytes(self._http, data, stop)

        command_name = _command_of(source)
        if command_name is not None:
            options = {**options, "requires": {**(options["requires"] or {}), "command": command_name}}
        if isinstance(source, Command):
            body, job._refs = source.request(put)
            made = self._http.ask("POST", "api/kernels/command", body, stop=stop)
            return self._post_job(made["sha256"], options, after, stop)
        if isinstance(source, _ProgramCode):
            memory = _memory_bytes(options["memoryMb"])
            definition, job._refs = source.program._definition(memory, job._source is None, put)
            source = source.module(self._program_code(stop), definition)
        if isinstance(source, _PythonFunction):
            # The server puts the function together with Python, whose large files it has.
            told, check = source.request(job._source is not None, put)
            made = self._http.ask("POST", "api/kernels/python", told, stop=stop)
            check(made)
            job._refs = {ref["sha256"]: ref["size"] for ref in made["refs"]}
            return self._post_job(made["sha256"], options, after, stop)
        data = source.encode()
        if len(data) > _KERNEL_BYTES:
            told = f"The kernel is {len(data)} bytes; at most {_KERNEL_BYTES} are allowed."
            raise PlatformError("TOO_LARGE", f"{told} Put large data with hands.put().")
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self._kernels:
            self._put_kernel(data, sha256, stop)
        try:
            return self._post_job(sha256, options, after, stop)
        except PlatformError as error:
            # The server was set up anew since the kernel was stored.
            if error.code != "UNKNOWN_KERNEL":
                raise
        self._put_kernel(data, sha256, stop)
        return self._post_job(sha256, options, after, stop)

    def _program_code(self, stop: _Stop) -> str:
        """The code around programs of the server's version."""
        if self._wasi is None:
            self._wasi = self._http.request(_Request("GET", "wasi.js", stop=stop)).body.decode()
        return self._wasi

    def _post_job(
        self, kernel: str, options: dict[str, Any], after: Sequence[str | Job], stop: _Stop
    ) -> dict[str, Any]:
        request = {name: value for name, value in options.items() if value is not None}
        request["kernel"] = kernel
        if after:
            request["after"] = [job if isinstance(job, str) else job.id for job in after]
        try:
            return self._http.ask("POST", "api/jobs", request, stop=stop)
        except PlatformError as error:
            if error.code == "BAD_REQUEST":
                raise _bad(f"The options of the job: {error.message}") from error
            raise

    def _put_kernel(self, data: bytes, sha256: str, stop: _Stop) -> None:
        self._http.ask("POST", "api/kernels", body=data, headers={"content-type": "text/javascript"}, stop=stop)
        self._kernels.add(sha256)

    def _put_path(self, path: Path) -> DataReference:
        try:
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                raise OSError("it is a directory; expected a file")
            if not stat.S_ISREG(found.st_mode) and not stat.S_ISFIFO(found.st_mode):
                raise OSError("it is a device or a socket; expected a file")
            with path.open("rb") as file:
                # Pipes have no size, and files of /proc say 0.
                return _put_file(self._http, file) if found.st_size else self._put_open(file)
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise PlatformError("FILE_FAILED", f"The file {path} cannot be read: {error.strerror}.") from error
        except OSError as error:
            raise PlatformError("FILE_FAILED", f"The file {path} cannot be read: {error}.") from error

    def _put_open(self, source: BinaryIO) -> DataReference:
        """A stream's name is known only at its end, so its bytes wait in a temporary file."""
        with tempfile.TemporaryFile() as file:
            size = 0
            while chunk := source.read(_CHUNK_BYTES):
                if isinstance(chunk, str):
                    raise _bad("The file to put is open for text; expected one that is open for bytes ('rb').")
                size += len(chunk)
                _refuse_large(size)
                file.write(chunk)
            return _put_file(self._http, file)

    def _later(self, stop: _Stop, task: Callable[..., Any], *args: Any) -> concurrent.futures.Future[Any]:
        """Moves data in another thread; in this one while the program ends, when no thread can be started."""
        with self._http.news:
            # After close() the pool takes nothing.
            stop.check()
            with contextlib.suppress(RuntimeError):
                if self._moving is None:
                    self._moving = concurrent.futures.ThreadPoolExecutor(_MOVED_AT_ONCE, "manyhands-data")
                return self._moving.submit(task, *args)
        done: concurrent.futures.Future[Any] = concurrent.futures.Future()
        done.set_result(task(*args))
        return done


def _command_of(source: _Code) -> str | None:
    """The command that a kernel runs."""
    if isinstance(source, Command):
        return source.name
    return source.on if isinstance(source, _PythonFunction) else None


def _memory_bytes(memory_mb: int | None) -> int:
    return int((_MEMORY_MB if memory_mb is None else memory_mb) * 2**20)


def _check_inputs(inputs: Any) -> None:
    if isinstance(inputs, Outputs):
        return
    if isinstance(inputs, (str, bytes, bytearray, dict)):
        noun = "a text" if isinstance(inputs, str) else f"a {type(inputs).__name__}"
        raise _bad(f"The inputs are {noun}; expected a list or another iterable of one input a task.")
    if not isinstance(inputs, Iterable):
        hint = " (read it in a coroutine of yours, and give its items)" if hasattr(inputs, "__aiter__") else ""
        raise _bad(
            f"The inputs are a {type(inputs).__name__}{hint}; expected a list or another iterable of one input a task."
        )


def _argument_lists(inputs: Iterable[Any]) -> Iterator[list[Any]]:
    for index, value in enumerate(inputs):
        if not isinstance(value, (list, tuple)):
            told = f"Input {index} is a {type(value).__name__}"
            raise _bad(f"{told}; starmap expects a list or tuple of the kernel's arguments.")
        yield list(value)


# ---------------------------------------------------------------------------------------------------------------------
# concurrent.futures

#: Seconds without an unfinished task after which the job of a kernel is closed.
_IDLE = 1.0


class _Lane:
    """The job of one kernel of an executor: inputs go in one by one, futures get the outcomes.

    The job is closed after a second without a task.
    """

    def __init__(self, hands: Hands, kernel: Any, options: dict[str, Any]) -> None:
        self._inputs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._futures: dict[int, concurrent.futures.Future[Any]] = {}
        self._lock = threading.Lock()
        self._count = 0
        self._is_open = True
        self.job = hands.map(kernel, self._inputs_in_turn(), **options)
        self._thread = _start(self._read, "executor")

    def submit(self, encoded: _Encoded) -> concurrent.futures.Future[Any] | None:
        """The future of a new task; None: the lane has ended."""
        with self._lock:
            if not self._is_open:
                return None
            future: concurrent.futures.Future[Any] = concurrent.futures.Future()
            self._futures[self._count] = future
            self._count += 1
            self._inputs.put(encoded)
            return future

    def end(self) -> None:
        self._inputs.put(None)

    def cancel(self) -> None:
        with self._lock:
            futures = list(self._futures.values())
        for future in futures:
            future.cancel()
        with contextlib.suppress(PlatformError):
            self.job.cancel()

    def join(self) -> None:
        self._thread.join()

    def _inputs_in_turn(self) -> Iterator[_Encoded]:
        while True:
            try:
                encoded = self._inputs.get(timeout=_IDLE)
            except queue.Empty:
                with self._lock:
                    if self._futures or self._count == 0 or not self._inputs.empty():
                        continue
                    self._is_open = False
                return
            if encoded is None:
                return
            yield encoded

    def _read(self) -> None:
        error: BaseException = PlatformError("JOB_CANCELLED", "The job of this task ended before the task did.")
        try:
            for outcome in self.job:
                with self._lock:
                    future = self._futures.pop(outcome.index, None)
                # A future that was cancelled takes no outcome.
                if future is None or not future.set_running_or_notify_cancel():
                    continue
                if outcome.error is None:
                    future.set_result(outcome.output)
                else:
                    future.set_exception(outcome.error)
        except BaseException as caught:
            error = caught
        with self._lock:
            self._is_open = False
            futures, self._futures = self._futures, {}
        for future in futures.values():
            if future.set_running_or_notify_cancel():
                future.set_exception(error)


class ManyhandsExecutor(concurrent.futures.Executor):
    """``concurrent.futures`` on a server's clients: ``submit(kernel, *args)``, ``map``, ``shutdown``.

    The function is a kernel as :meth:`Hands.map` takes it: in Python, or JavaScript as text or the path of a module. Its last parameter is ``ctx``, behind the arguments: ``submit("(a, b) => a + b", 1, 2)``. The
    tasks of one kernel share a job, which is closed after a second without a task.

    A future that is cancelled is forgotten, although its task may be computed all the same.

    Args:
        where: a connection, which stays open; else what :func:`connect` takes
        options: of the jobs, as in :meth:`Hands.map`
    """

    def __init__(self, where: Hands | str | None = None, **options: Any) -> None:
        self._owns_hands = not isinstance(where, Hands)
        self._hands = where if isinstance(where, Hands) else connect(where)
        # The future of a task raises when the task fails.
        self._options = {"fail_fast": False, **options}
        #: The newest job of each kernel.
        self._lanes: dict[tuple[str, bool], _Lane] = {}
        self._lock = threading.Lock()
        self._is_shut = False
        _executors.add(self)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """Computes ``fn(*args)`` on a client. The future raises :class:`TaskError` when the kernel failed."""
        if kwargs:
            raise TypeError("A kernel has no keyword arguments; send a dict as its one argument.")
        takes_list = len(args) != 1
        encoded = _Encoded(list(args) if takes_list else args[0])
        identity = (repr(fn), takes_list)
        with self._lock:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            lane = self._lanes.get(identity)
            future = lane.submit(encoded) if lane else None
            if future is None:
                source, name = _code_of(fn, self._options.get("on"))
                options = {"name": self._hands._name or name, **self._options}
                lane = _Lane(self._hands, _with_arguments(source) if takes_list else source, options)
                self._lanes[identity] = lane
                future = lane.submit(encoded)
        if future is None:
            raise RuntimeError("the job of this kernel ended at once")
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more tasks. With ``cancel_futures`` those that have not ended are cancelled with their jobs."""
        with self._lock:
            self._is_shut = True
            lanes = list(self._lanes.values())
        for lane in lanes:
            lane.end()
            if cancel_futures:
                lane.cancel()
        if wait:
            for lane in lanes:
                lane.join()
            if self._owns_hands:
                self._hands.close()

    def _close_jobs(self) -> None:
        """Takes no more tasks, and waits a little until the server has those that were submitted."""
        self.shutdown(wait=False)
        until = time.monotonic() + _CANCEL_PATIENCE
        for lane in self._lanes.values():
            with contextlib.suppress(PlatformError, TimeoutError):
                lane.job.submitted(max(0.0, until - time.monotonic()))


# ---------------------------------------------------------------------------------------------------------------------
# The end of the program

_submitting: weakref.WeakSet[Job] = weakref.WeakSet()
_reducing: weakref.WeakSet[Reduction] = weakref.WeakSet()
_executors: weakref.WeakSet[ManyhandsExecutor] = weakref.WeakSet()


def _finish() -> None:
    """A program that ends well waits until its inputs are on the server's disk, as one of Node does."""
    if hasattr(sys, "last_type"):
        return
    for executor in list(_executors):
        executor.shutdown()
    for reduction in list(_reducing):
        reduction._await_made()
    for job in list(_submitting):
        job._await_inputs()


atexit.register(_finish)
