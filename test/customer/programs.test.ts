import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { program, type Hands } from "../../customer/index.ts";
import { canWait } from "../../customer/wasi/run-program.ts";
import { compilesWasi, compileWasi } from "../support/compile-wasi.ts";
import { LivePlatform } from "./live-platform.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe.skipIf(!compilesWasi)("programs compiled to WASI (clang, lld, wasi-libc)", () => {
  const directory = mkdtempSync(join(tmpdir(), "manyhands-programs-"));
  let platform: LivePlatform;
  let hands: Hands;
  let probe: string;
  beforeAll(async () => {
    probe = compileWasi(join(import.meta.dirname, "../support/programs/probe.c"), directory);
    platform = await LivePlatform.start();
    hands = await platform.connect();
  });
  afterAll(() => platform.close());

  it("[WASI-1] get arguments and environment, in the order of the inputs", async () => {
    const echo = program(probe, {
      args: ["echo", "{input}", "{{literal}}"],
      env: { SAMPLE: "n={input}" },
    });
    const outputs = await hands.map(echo, ["a b", 7, "ü"]);
    expectTypeOf(outputs).toEqualTypeOf<string[]>();
    expect(outputs).toEqual(["a b", "7", "ü"].map((each) => `${each}\n{literal}\nSAMPLE=n=${each}\n`));
  });

  it("[WASI-1] take the members of an object, the elements of a list and a single task", async () => {
    const echo = program(probe, { args: ["echo", "{a}", "{b}"] });
    expect(await hands.map(echo, [{ a: 1, b: "x" }])).toEqual(["1\nx\n"]);
    const listed = program(probe, { args: ["echo", "{0}", "{1}"] });
    expect(await hands.map(listed, [[1, "x"]])).toEqual(["1\nx\n"]);
    const named = program(probe, { args: ["echo", "{input}"] });
    expect(await hands.submit(named, "alone")).toBe("alone\n");
  });

  it("[WASI-1] are stages: outputs of one are inputs of the next, and are combined", async () => {
    const first = hands.map(program(probe, { args: ["echo", "{input}"] }), ["a", "b"]);
    const second = hands.map(program(probe, { args: ["cat", "{input:file}"] }), first.outputs());
    expect(await second).toEqual(["a\n", "b\n"]);
    const joined = hands.reduce(program(probe, { args: ["echo", "{input}"] }), ["a", "b", "c"], {
      combine: (a, b) => a + b,
    });
    expect(await joined).toBe("a\nb\nc\n");
  });

  it("[WASI-2] read bytes, data references and files, and standard input", async () => {
    const cat = program(probe, { args: ["cat", "{input}"] });
    const reference = await hands.put(text("by reference"));
    expect(await hands.map(cat, [text("bytes"), reference, reference.slice(3)])).toEqual([
      "bytes",
      "by reference",
      "reference",
    ]);
    const fixed = program(probe, { args: ["cat", "lib/table"], files: { "lib/table": text("table") } });
    expect(await hands.map(fixed, [0])).toEqual(["table"]);
    const filter = program(probe, { args: ["cat"], stdin: "{input}" });
    expect(await hands.map(filter, ["typed", text("piped")])).toEqual(["typed", "piped"]);
  });

  it("[WASI-2] leave files, which the next task does not see", async () => {
    const write = program(probe, { args: ["write", "{input}"], output: { files: "out/*.txt" } });
    const outputs = await hands.map(write, ["one", "two"]);
    expect(outputs).toEqual([{ "out/result.txt": text("one") }, { "out/result.txt": text("two") }]);
    const append = program(probe, { args: ["append", "log"], files: { log: text("base") }, output: "bytes" });
    expect(await hands.map(append, [1, 2, 3])).toEqual([text("base+"), text("base+"), text("base+")]);
    const list = program(probe, { args: ["list", "/"] });
    expect(await hands.map(list, [0])).toEqual([".\n..\ntmp\n"]);
    await expect(
      hands.map(program(probe, { args: ["echo"], output: { files: "*.tree" } }), [0]),
    ).rejects.toThrow(/left no file \*\.tree/);
  });

  it("[WASI-2] write a file in small pieces in time that is proportional to its size", async () => {
    const many = program(probe, { args: ["many", "{input}"] });
    expect(await hands.map(many, [1_000_000], { timeoutMs: 60_000 })).toEqual(["1000000"]);
  });

  it("[WASI-3] see the same clock and randomness on every run, and sleep in no time", async () => {
    const clock = program(probe, { args: ["clock"] });
    const [first, other] = await hands.map(clock, [0, 1], { seed: "s" });
    const [again] = await hands.map(clock, [0], { seed: "s" });
    expect(again).toBe(first);
    expect(other!.slice(0, 16)).not.toBe(first!.slice(0, 16));
    expect(first!.slice(16)).toBe(" 946688400 3600");
  });

  it("[WASI-4] fail with the exit code and standard error, or the reason of a trap", async () => {
    const failing = async (args: string[], options = {}): Promise<unknown> =>
      hands.map(program(probe, { args }), [0], { maxAttempts: 1, ...options });
    await expect(failing(["fail", "3"])).rejects.toThrow(
      /probe\.wasm ended with exit code 3\. Standard error:\nno such particle/,
    );
    await expect(failing(["trap"])).rejects.toThrow(/probe\.wasm was stopped by an error: unreachable/);
    await expect(failing(["echo", "{missing}"])).rejects.toThrow(/\{missing\} stands for/);
    expect(await hands.map(program(probe, { args: ["fail", "3"], exitCodes: [0, 3] }), [0])).toEqual([""]);
  });

  it("[WASI-4] are bounded: memory, files, standard error and time", async () => {
    const failing = async (args: string[], options = {}): Promise<unknown> =>
      hands.map(program(probe, { args }), [0], { maxAttempts: 1, memoryMb: 64, ...options });
    await expect(failing(["memory"])).rejects.toThrow(
      /exit code 12\. Standard error:\nout of memory at 6\d MiB/,
    );
    await expect(failing(["fill"])).rejects.toThrow(
      /exit code 13\. Standard error:\nNo space left on device/,
    );
    await expect(failing(["noise"])).rejects.toThrow(/noise 0\n[\s\S]*\[… \d+ bytes …\][\s\S]*noise 199999/);
    const over = hands.map(program(probe, { args: ["cat", "{input}"] }), [new Uint8Array(40 * 2 ** 20)], {
      maxAttempts: 1,
      memoryMb: 32,
    });
    await expect(Promise.resolve(over)).rejects.toThrow(/The file input has 41943040 bytes; \d+ are left/);
    const outside = hands.map(program(probe), [{ "../x": text("x") }], { maxAttempts: 1 });
    await expect(Promise.resolve(outside)).rejects.toThrow(/The file \.\.\/x cannot be placed/);
    await expect(failing(["hang"], { timeoutMs: 1000 })).rejects.toThrow(/1 s|1000|timeout|time/i);
  });

  it("[WASI-2] reach no file of the machine", async () => {
    const open = program(probe, { args: ["open", "{input}"] });
    const paths = ["../../etc/passwd", "/etc/passwd", "tmp/../../etc/passwd"];
    for (const told of await hands.map(open, paths)) expect(told).toMatch(/No such file|apabilities/);
  });

  it("[WASI-5] are refused before a job is made when they are no programs", async () => {
    await expect(hands.map(program(text("no module")), [0])).rejects.toThrow(/is no WebAssembly module/);
    await expect(hands.map(program(Uint8Array.of(0, 97, 115, 109, 13, 0, 1, 0)), [0])).rejects.toThrow(
      /component/,
    );
    const library = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
    await expect(hands.map(program(library), [0])).rejects.toThrow(/exports no `_start`/);
    await expect(hands.map(program(join(directory, "absent.wasm")), [0])).rejects.toThrow(/cannot be read/);
  });

  it.skipIf(!canWait)("[WASI-7] fetch only what they read of a large data reference", async () => {
    const cached = (): number => {
      const cache = join(platform.directory, "cache");
      const files = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((each) =>
        each.isFile(),
      );
      return files.reduce(
        (sum, { parentPath, name }) =>
          sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
    };
    const stored = await hands.put(Buffer.alloc(40 * 2 ** 20, "0123456789abcdef"));
    const before = cached();
    const at = program(probe, { args: ["at", "{input}", "34567890"] });
    expect(await hands.map(at, [stored, stored.slice(4)])).toEqual(["23456789", "6789abcd"]);
    expect(cached() - before).toBeLessThan(8 * 2 ** 20);
  });

  it("[WASI-6] of any size come as blobs of the tasks, and so do large files", async () => {
    const large = new Uint8Array(3_000_000).fill(120);
    const options = { args: ["cat", "large"], files: { large }, output: "bytes" } as const;
    const module = await hands.put(readFileSync(probe));
    const [output] = await hands.map(program(module, options), [0]);
    expect(output).toEqual(large);
  });
});

const suite = process.env["WASI_TESTSUITE"] ?? "";

describe.skipIf(!existsSync(suite))("wasi-testsuite, preview 1 (WASI_TESTSUITE)", async () => {
  const { runProgram } = await import("../../customer/wasi/run-program.ts");
  const { WebAssembly } = await import("../../customer/wasi/web-assembly.ts");
  // The case takes descriptor 3 to be free, which is the root directory of every program here.
  const cases = globSync("tests/{assemblyscript,c,rust}/testsuite/wasm32-wasip1/*.wasm", {
    cwd: suite,
  }).filter((path) => !path.endsWith("sock_shutdown-invalid_fd.wasm"));

  it.each(cases)("%s", async (path) => {
    const module = await WebAssembly.compile(readFileSync(join(suite, path)));
    const told = join(suite, path.replace(/\.wasm$/, ".json"));
    const expected = (existsSync(told) ? JSON.parse(readFileSync(told, "utf8")) : {}) as {
      args?: string[];
      env?: Record<string, string>;
      root?: string;
      exit_code?: number;
      stdout?: string;
    };
    const root = join(suite, path, "..", expected.root ?? "none");
    const entries = expected.root ? readdirSync(root, { recursive: true, withFileTypes: true }) : [];
    const files = entries.filter((entry) => entry.isFile());
    const end = await runProgram(module, {
      arguments: ["case", ...(expected.args ?? [])],
      environment: expected.env ?? {},
      input: new Uint8Array(0),
      files: files.map(({ parentPath, name }) => ({
        path: join(parentPath, name).slice(root.length + 1),
        bytes: new Uint8Array(readFileSync(join(parentPath, name))),
      })),
      timeMs: 946_684_800_000,
      random: Math.random,
      memoryBytes: 64 * 2 ** 20,
    });
    expect(end.trap, end.errors).toBeUndefined();
    expect(end.exitCode, end.errors).toBe(expected.exit_code ?? 0);
    if (expected.stdout !== undefined) expect(new TextDecoder().decode(end.output)).toBe(expected.stdout);
  });
});
