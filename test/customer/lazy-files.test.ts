import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { LazyContent } from "../../customer/wasi/lazy-content.ts";
import { canWait, runProgram, type ProgramEnd, type ProgramFile } from "../../customer/wasi/run-program.ts";
import { WebAssembly, type Module } from "../../customer/wasi/web-assembly.ts";
import { seededRandom } from "../../shared/random.ts";
import { compilesWasi, compileWasi } from "../support/compile-wasi.ts";
import { skipped } from "../support/skipped.ts";

const mebibyte = 1024 * 1024;
const why =
  skipped(!compilesWasi, "clang, lld and wasi-libc are not installed") ||
  skipped(!canWait, "this Node has no JavaScript Promise Integration");

describe.skipIf(!compilesWasi || !canWait)(`[WASI-7] files that are read as they are needed${why}`, () => {
  let module: Module;
  let whole: Uint8Array;
  beforeAll(async () => {
    const source = join(import.meta.dirname, "../support/programs/probe.c");
    module = await WebAssembly.compile(
      readFileSync(compileWasi(source, await mkdtemp(join(tmpdir(), "manyhands-lazy-")))),
    );
    const random = seededRandom("lazy");
    whole = Uint8Array.from({ length: 20 * mebibyte + 77 }, () => 97 + Math.floor(random() * 26));
  });

  const run = (args: string[], bytes: ProgramFile["bytes"], options: object = {}): Promise<ProgramEnd> =>
    runProgram(module, {
      arguments: ["probe", ...args],
      environment: {},
      input: new Uint8Array(0),
      files: [{ path: "data", bytes, ...options }],
      timeMs: 0,
      random: () => 0.5,
      memoryBytes: 64 * mebibyte,
    });
  const text = ({ output, exitCode, trap }: ProgramEnd): unknown =>
    trap ?? [exitCode, new TextDecoder().decode(output)];

  /** Lazy content, and the ranges that were fetched. */
  function lazily(): { content: LazyContent; fetched: [start: number, end: number][] } {
    const fetched: [number, number][] = [];
    const content = new LazyContent(whole.length, async (start, end) => {
      await Promise.resolve();
      fetched.push([start, end]);
      return whole.subarray(start, end);
    });
    return { content, fetched };
  }

  it("fetches what is read, and the same bytes are there", async () => {
    const { content, fetched } = lazily();
    for (const at of [13 * mebibyte - 4, 0, whole.length - 8, whole.length - 3, whole.length]) {
      const args = ["at", "data", `${at}`];
      expect(text(await run(args, content, { isShared: true }))).toEqual(text(await run(args, whole)));
    }
    const bytes = fetched.reduce((sum, [start, end]) => sum + end - start, 0);
    expect(bytes).toBeLessThan(3 * mebibyte);
  });

  it("fetches larger and larger pieces of a file that is read in order, each once", async () => {
    const { content, fetched } = lazily();
    const sum = text(await run(["sum", "data"], whole));
    expect(text(await run(["sum", "data"], content))).toEqual(sum);
    expect(fetched.length).toBeLessThan(12);
    expect(fetched[0]![0]).toBe(0);
    expect(fetched.at(-1)![1]).toBe(whole.length);
    for (let at = 1; at < fetched.length; at++) expect(fetched[at]![0]).toBe(fetched[at - 1]![1]);
  });

  it("reads standard input so, and leaves and changes files as others", async () => {
    const piped = await runProgram(module, {
      arguments: ["probe", "sum"],
      environment: {},
      input: lazily().content,
      files: [],
      timeMs: 0,
      random: () => 0.5,
      memoryBytes: 64 * mebibyte,
    });
    expect(text(piped)).toEqual(text(await run(["sum", "data"], whole)));

    const end = await run(["echo"], lazily().content);
    const [[path, content] = []] = end.files();
    expect([path, Buffer.compare((await content?.()) ?? whole.subarray(1), whole)]).toEqual(["data", 0]);

    const appended = await run(["append", "data"], lazily().content, { isShared: true });
    expect(appended.output.length).toBe(whole.length + 1);
    expect(Buffer.compare(appended.output.subarray(0, -1), whole)).toBe(0);
    expect(appended.output.at(-1)).toBe("+".charCodeAt(0));
  });

  it("counts the whole file to the memory of the task, and tells what a fetch has thrown", async () => {
    const { fetched } = lazily();
    const large = new LazyContent(65 * mebibyte, () => Promise.reject(new Error("not asked")));
    await expect(run(["at", "data", "0"], large)).rejects.toThrow("The file data has 68157440 bytes");
    const broken = new LazyContent(10 * mebibyte, () => Promise.reject(new Error("the blob is gone")));
    await expect(run(["at", "data", "0"], broken)).rejects.toThrow(/^the blob is gone$/);
    expect(fetched).toEqual([]);
  });
});
