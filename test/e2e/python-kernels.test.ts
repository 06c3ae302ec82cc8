import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { connect, python, type Hands, type TaskFailedError } from "../../customer/index.ts";
import { connect as connectAnywhere } from "../../parallel/index.ts";
import { startClient } from "../support/browsers/start-client.ts";
import { extension, extensionFile, extensionWheel, makeWheel } from "../support/wheels.ts";
import { startClientProcess, startServerProcess, temporaryDirectory } from "../support/processes.ts";

const source = `
import hashlib, math, os, random, sys, time
from array import array
from package.inner import twice

def same_bits(x, ctx):
    noise = [random.gauss(0, 1) for _ in range(1000)]
    return {
        "noise": array("d", noise),
        "sin": [math.sin(x * i) ** 1.5 if math.sin(x * i) > 0 else math.nan for i in range(100)],
        "urandom": os.urandom(16),
        "words": list({"one", "two", "three"}),
        "clock": [time.time(), time.perf_counter()],
        "hash": hashlib.sha256(b"x").hexdigest(),
        "own": [ctx.random(), ctx.index, twice(x)],
        "values": [None, True, 2.0, -0.0, float("inf"), b"bytes", (1, 2), "\\ud83d\\ude00"],
    }

def fails(x):
    if x == 0: raise KeyError("a")
    if x == 1: sys.exit(3)
    if x == 2: return fails(x)
    if x == 3: import numpy
    return 2**60


def waits(x):
    while True: pass

def packaged(x):
    import importlib.resources, served, given.sub
    try:
        import absent
    except ImportError as error:
        missing = type(error).__name__
    try:
        from fast import triple
        built = triple(x)
    except ImportError:
        built = None
    return [served.LIST, given.sub.X, importlib.resources.files("served").joinpath("data.txt").read_text(), missing, built]

def add(a, b): return a + b

def combine(a, b): return {"noise": [math.atan2(x, y) for x, y in zip(a["noise"], b["noise"])], "own": a["own"] + b["own"]}
`;

async function pythonFile(): Promise<string> {
  const folder = await temporaryDirectory();
  await mkdir(join(folder, "package"));
  await writeFile(join(folder, "package", "__init__.py"), "");
  await writeFile(
    join(folder, "package", "inner.py"),
    "from . import deeper\n\ndef twice(x): return deeper.two * x\n",
  );
  await writeFile(join(folder, "package", "deeper.py"), "two = 2\n");
  await writeFile(join(folder, "model.py"), source);
  return join(folder, "model.py");
}

/** Packages of the server, and one that the customer gives. */
async function putWheels(hands: Hands, folder: string): Promise<string> {
  const table = { "served/__init__.py": "from needed import LIST", "served/data.txt": "data" };
  const wheels = [
    await makeWheel(folder, "served-1.0-py3-none-any.whl", table, [
      "Needed>=1; python_version > '3'",
      "none",
    ]),
    await makeWheel(folder, "needed-2.0-py3-none-any.whl", { "needed.py": "LIST = [1, 2]" }),
  ];
  if (extension) wheels.push(await makeWheel(folder, extensionWheel, { [extensionFile]: extension }));
  for (const path of wheels) await hands.api.putWheel(basename(path), new Uint8Array(await readFile(path)));
  return makeWheel(folder, "given-0.1-py2.py3-none-any.whl", {
    "given/__init__.py": "",
    "given/sub.py": "X = 5",
  });
}

async function outcomes(hands: Hands, file: string): Promise<unknown> {
  const given = await putWheels(hands, dirname(file));
  const packaged = hands.map(python(file, "packaged", { wheels: [given] }), [14], { verify: "off" });
  const same = await hands.map(python(file, "same_bits"), [0.5, 1.5], { seed: "s", verify: "off" });
  const failed = await hands
    .map(`${file}:fails`, [0, 1, 2, 3, 4], { maxAttempts: 1, failFast: false, verify: "off" })
    .settled();
  const reduced = await hands.reduce(`${file}:same_bits`, [1, 2, 3, 4, 5], {
    seed: "s",
    perTask: 2,
    fanIn: 2,
    verify: "off",
  });
  return [
    same,
    reduced,
    await packaged,
    failed.map((task) => task.status === "failed" && [task.error.kind, task.error.message, task.error.stack]),
  ];
}

test("[PYTHON-1] [PYTHON-3] [PYTHON-5] [PYTHON-6] [PYTHON-9] [REDUCE-4] a node client and a Chromium tab give the same bits and failures", async () => {
  const file = await pythonFile();
  const onNode = await startServerProcess(await temporaryDirectory());
  await startClientProcess(onNode);
  const node = await connect(onNode.url, { token: onNode.token });
  onTestFinished(() => node.close());
  const expected = await outcomes(node, file);

  const [same, reduced, packaged, failed] = expected as [
    Record<string, unknown>[],
    Record<string, number[]>,
    unknown,
    string[][],
  ];
  expect(reduced["own"]!.filter((_, at) => at % 3 > 0)).toEqual([0, 2, 1, 4, 2, 6, 3, 8, 4, 10]);
  // The last is of a module in C, where clang and lld for WebAssembly are.
  expect(packaged).toEqual([[[1, 2], 5, "data", "ModuleNotFoundError", extension ? 42 : null]]);
  expect(same[0]).toMatchObject({
    own: [expect.any(Number), 0, 1],
    hash: expect.stringMatching(/^2d711642/) as unknown,
  });
  expect(same[0]!["values"]).toEqual([
    null,
    true,
    2,
    -0,
    Infinity,
    new TextEncoder().encode("bytes"),
    [1, 2],
    "😀",
  ]);
  expect(failed.map(([kind, message]) => [kind, message])).toEqual([
    ["error", "KeyError: 'a'"],
    ["error", "SystemExit: the kernel called sys.exit(3)"],
    ["error", expect.stringContaining("RecursionError: maximum recursion depth exceeded")],
    [
      "error",
      expect.stringMatching(/^ModuleNotFoundError: No module named 'numpy' .*manyhands runtime add FILE/),
    ],
    ["unserialisable", expect.stringContaining("the int 1152921504606846976 is beyond ±(2^53 - 1)")],
  ]);
  expect(failed[0]![2]).toContain('File "model.py", line');

  const inTab = await startServerProcess(await temporaryDirectory());
  await startClient("chromium", inTab);
  const tab = await connect(inTab.url, { token: inTab.token });
  onTestFinished(() => tab.close());
  expect(await outcomes(tab, file)).toEqual(expected);
}, 300_000);

test("[PYTHON-1] [PYTHON-4] threads run several arguments and fed jobs, and end a function that does not", async () => {
  const file = await pythonFile();
  const hands = await connectAnywhere("thread:2");
  onTestFinished(() => hands.close());
  expect(await hands.starmap(`${file}:add`, [["a", "b"]])).toEqual(["ab"]);
  const numbers = hands.map((x: number) => [x, x], [1, 2]);
  expect(await hands.starmap(`${file}:add`, numbers.outputs())).toEqual([2, 4]);
  const hanging = hands.map(`${file}:waits`, [1], { timeoutMs: 20_000, maxAttempts: 1 });
  const failure = await hanging.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect((failure as TaskFailedError).failures[0]).toMatchObject({ kind: "timeout" });
}, 300_000);

test("[PYTHON-2] kernels that name no function are refused", () => {
  expect(() => python("model.py")).toThrow("names no function of a Python file");
  expect(() => python("model.js:f")).toThrow("names no function of a Python file");
});
