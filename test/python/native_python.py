"""Maps functions in Python on the Python of a client's machine, and prints what came of them as JSON."""

import asyncio
import json
import os
import subprocess
import sys
import threading

import manyhands

try:
    import numpy
except ImportError:
    numpy = None

SCALE = 3


def described(x, ctx):
    print("line", ctx.index)
    subprocess.run(["true"], check=True)
    return {"scaled": SCALE * x["n"], "bytes": len(x["data"]), "threads": threading.active_count(), "random": ctx.random()}


def transformed(values):
    return numpy.fft.fft(numpy.asarray(values)).real


async def stored(ref, ctx):
    await asyncio.sleep(0)
    small = await ctx.put(b"small")
    large = await ctx.put(await ctx.data(ref) * 2)
    return {"small": small, "large": large, "path": os.path.getsize(ctx.path(ref))}


def fails(x):
    return inner(x)


def inner(x):
    raise ValueError(f"no {x}")


def plus_one(x):
    return x + 1


def leaves(x):
    os._exit(x)


def a_set(x):
    return {x}


def largest(a, b):
    return max(a, b)


def error_of(job):
    try:
        job.gather()
        return "no failure"
    except manyhands.TaskFailedError as error:
        task = error.failures[0] if hasattr(error, "failures") else error
        return {"message": task.message, "stack": getattr(task, "stack", None)}
    except manyhands.PlatformError as error:
        return {"message": error.message}


with manyhands.connect() as hands:
    data = hands.put(b"z" * 100_000)
    job = hands.map(described, [{"n": 1, "data": data.slice(10, 20)}, {"n": 2, "data": b"abc"}], on="python3", seed="s")
    first = job.gather()
    again = hands.map(described, [{"n": 1, "data": b""}], on="python3", seed="s").gather()
    refs = hands.map(stored, [data], on="python3").gather()[0]
    told = {
        "described": [{**each, "random": None} for each in first],
        "sameRandom": first[0]["random"] == again[0]["random"] != first[1]["random"],
        "logs": sorted(line["line"] for line in job.logs()),
        "starmap": hands.starmap(pow, [[2, 10], [3, 2]], on="python3").gather(),
        "submit": hands.executor(on="python3").submit(plus_one, 41).result(),
        "stored": [bytes(hands.get(refs["small"])).decode(), len(hands.get(refs["large"])), refs["path"]],
        "failure": error_of(hands.map(fails, [7], on="python3", max_attempts=1)),
        "stack": hands.map(fails, [7], on="python3", max_attempts=1).settled()[0].error.stack,
        "exit": error_of(hands.map(leaves, [5], on="python3", max_attempts=1)),
        "unfit": error_of(hands.map(a_set, [5], on="python3")),
        "reduced": hands.reduce(plus_one, range(10), combine=largest, per_task=4, on="python3").gather(),
        "failedInput": error_of(hands.reduce(fails, [7], combine=largest, on="python3", max_attempts=1)),
        "numpy": None,
    }
    try:
        hands.map("x => x", [1], on="python3")
    except manyhands.PlatformError as error:
        told["refusal"] = error.message
    if numpy is not None:
        told["numpy"] = [round(float(x), 6) for x in hands.map(transformed, [[1, 2, 3, 4]], on="python3").gather()[0]]
    print(json.dumps(told))
