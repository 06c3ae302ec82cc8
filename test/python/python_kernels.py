"""Maps functions in Python, and prints what came of them as JSON."""

import functools
import json
import math
import os.path
import random
import sys
import time
import types
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "model"))

import manyhands
from shapes.circle import area

SCALE = 3
NAMES = {"a": [1, 2.5], "b": (None, True)}
LIMIT = float("inf")
PLACE = object()


@dataclass
class Point:
    x: float
    y: float

    def length(self) -> float:
        return math.hypot(self.x, self.y)


@functools.lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def traced(function):
    @functools.wraps(function)
    def inner(*args):
        print("traced here", file=sys.stderr)
        return function(*args)

    return inner


@traced
def everything(x):
    point = Point(3.0 * x, 4.0 * x)
    return {
        "scaled": SCALE * x,
        "names": NAMES,
        "isLess": x < LIMIT,
        "length": point.length(),
        "fibonacci": fibonacci(60),
        "area": area(x + 1),
        "join": os.path.join("a", "b"),
        "most": Counter("abracadabra").most_common(1)[0][0],
    }


def fails(x):
    return deeper(x)


def deeper(x):
    raise ValueError(f"no {x}")


def same_bits(x, ctx):
    return [random.random(), ctx.random(), time.time(), math.sin(x), list({"one", "two", "three"}), ctx.index]


async def reads(ref, ctx):
    print("reading")
    ctx.progress(0.5)
    data = await ctx.data(ref.slice(1, 3))
    return [data, await ctx.put(data * 2), ref]


def reads_plainly(inputs):
    return {"sum": sum(inputs["ref"]), "kind": type(inputs["ref"]).__name__}


def packaged(x):
    import served
    from given.sub import X

    return [served.LIST, X]


async def named(x, ctx):
    if x == "fails":
        raise ValueError(f"it {x}")
    if x == "unfit":
        return {x}
    return (str(x), type(x).__name__, await ctx.put(str(x).encode()))


async def joined(a, b, ctx):
    # In a task as between tasks a tuple has become a list.
    assert type(a) is list and type(b) is list
    data = await ctx.data(a[2]) + await ctx.data(b[2])
    return (f"({a[0]} {b[0]})", a[1] + b[1], await ctx.put(data))


def reduced(hands):
    grouped = {"per_task": 3, "fan_in": 2}
    inputs = range(8)
    text, kinds, reference = hands.reduce(named, inputs, combine=joined, **grouped).gather()
    script = hands.reduce("x => `${x}`", inputs, combine="(a, b) => `(${a} ${b})`", **grouped).gather()
    again = hands.map(named, inputs).reduce(joined, fan_in=2).gather()
    told = [text == script, kinds, bytes(hands.get(reference)).decode(), again[0]]
    for wrong in ("fails", "unfit"):
        try:
            hands.reduce(named, [0, 1, 2, 3, wrong], combine=joined, max_attempts=1, **grouped).gather()
        except manyhands.TaskFailedError as error:
            told.append([error.failures[0].kind, error.failures[0].message])
    for combine in (None, "(a, b) => a + b"):
        try:
            hands.reduce(named, [1], combine=combine)
        except manyhands.PlatformError as error:
            told.append(error.message)
    return told


def uses_missing(x):
    return absent_package.sine(x)  # noqa: F821


def uses_place(x):
    return PLACE


def uses_nothing(x):
    return undefined_name  # noqa: F821


def main():
    told = {}
    with manyhands.connect() as hands:
        told["everything"] = hands.map(everything, [1, 2]).gather()
        told["lambda"] = hands.map(lambda x: x * SCALE, range(3)).gather()
        told["starmap"] = hands.starmap(pow, [(2, 10), (3, 2)]).gather()
        told["submit"] = hands.submit(math.gcd, 12, 18).result()
        told["sameBits"] = hands.map(same_bits, [0.5, 1], seed="7").gather()
        ref = hands.put(bytes([1, 2, 3, 4]))
        data, put, same = hands.map(reads, [ref]).gather()[0]
        told["reads"] = [list(data), list(hands.get(put)), same == ref]
        told["readsPlainly"] = hands.map(reads_plainly, [{"ref": ref}]).gather()[0]
        first = hands.map("x => x + 1", [1, 2])
        told["fed"] = hands.map(lambda x: x * 10, first.outputs()).gather()
        try:
            hands.map(fails, [1], max_attempts=1).gather()
        except manyhands.TaskFailedError as error:
            told["failure"] = [error.failures[0].kind, error.failures[0].message, error.failures[0].stack]
        told["reduced"] = reduced(hands)
        given, foreign = sys.argv[1:]
        told["packaged"] = [
            hands.map(packaged, [1], wheels=[given]).gather(),
            hands.map(packaged, first.outputs(), wheels=[given]).gather(),
        ]
        reference = hands.put(given)
        # An installed package that no wheel has.
        package = types.ModuleType("absent_package")
        globals()["absent_package"] = package
        tries = [
            lambda: hands.map(uses_missing, [1]).gather(),
            lambda: hands.map("x => x", [1], wheels=[given]),
            lambda: hands.map(packaged, [1], wheels=[reference.slice(1)]).gather(),
            lambda: hands.map(packaged, [1], wheels=[foreign]).gather(),
            lambda: hands.map(packaged, first.outputs(), wheels=[reference]).gather(),
        ]
        for each in tries:
            try:
                each()
            except manyhands.PlatformError as error:
                told.setdefault("wheels", []).append(error.message)
        outer = 1
        refusals = [uses_place, uses_nothing, lambda x: x + outer, functools.partial(pow, 2), "".join, Point]
        for kernel in refusals:
            try:
                hands.map(kernel, [1])
            except manyhands.PlatformError as error:
                told.setdefault("refusals", []).append(error.message)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
