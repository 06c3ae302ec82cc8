import createPyodideModule from "pyodide/pyodide.asm.mjs";
import { loadPyodide } from "pyodide/pyodide.mjs";
import { DataReference } from "../../shared/data-reference.ts";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import type { PythonCombine } from "../../shared/wire/python-program.ts";
import type { PythonDefinition, RuntimeFile } from "./definition.ts";
import { PythonFailure, unfit } from "./outcome.ts";
import { beginTask, files } from "./shell.ts";

/** The end of a call: the encoded output, the reason why it is no value, a failure, or a coroutine that resolves to one of them. */
type Outcome =
  | readonly ["done", Uint8Array]
  | readonly ["unfit", message: string]
  | readonly ["failed", message: string, stack: string, cause: unknown]
  | readonly ["waiting", PromiseLike<Outcome>];

/** The module `_manyhands_runner` (runner.py). */
interface Runner {
  /** Unpacks a wheel. */
  install(file: string, wheel: Uint8Array): void;
  /** @returns whether data references stay in the input, because the functions can wait for their bytes; or the failure of the import */
  prepare(
    module: string,
    name: string,
    spread: boolean,
    combine: PythonCombine | undefined,
    bridge: Bridge,
  ): boolean | Outcome;
  call(input: Uint8Array, bridge: Bridge): Outcome;
}

interface Python {
  readonly runner: Runner;
  readonly keepsReferences: boolean;
}

/** The context of a task as Python calls it: values and references are encoded. */
interface Bridge {
  readonly index: number;
  readonly attempt: number;
  readonly resume: Uint8Array;
  readonly seed: string;
  progress(fraction: number): void;
  log(line: string): void;
  random(): number;
  checkpoint(state: Uint8Array): void;
  data(reference: Uint8Array): Promise<Uint8Array>;
  put(bytes: Uint8Array): Promise<Uint8Array>;
}

const root = "/kernel";
const supportRoot = "/manyhands";

/** The kernel of a function in Python. The interpreter starts with the first task, and stays in its sandbox. */
export function pythonKernel(
  definition: PythonDefinition,
): (input: Value, ctx: KernelContext) => Promise<Value> {
  let python: Promise<Python> | undefined;
  const orForget = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      // Without a Python that started, or with one that broke down, the next task starts another.
      if (!(error instanceof PythonFailure)) python = undefined;
      throw error;
    }
  };
  return async (input, ctx) => {
    const { runner, keepsReferences } = await orForget(() => (python ??= start(definition, ctx)));
    const given = encodeValue(keepsReferences ? input : await withBytes(input, ctx));
    beginTask(ctx);
    return orForget(async () => settled(runner.call(given, bridgeTo(ctx))));
  };
}

async function settled(outcome: Outcome): Promise<Value> {
  if (outcome[0] === "waiting") return settled(await outcome[1]);
  if (outcome[0] === "done") return decodeValue(outcome[1]);
  if (outcome[0] === "unfit") return unfit(outcome[1]);
  throw new PythonFailure(outcome[1], outcome[2], outcome[3] ?? undefined);
}

async function start(
  { program, wheels, files: runtime, info, support }: PythonDefinition,
  ctx: KernelContext,
): Promise<Python> {
  for (const [name, file] of Object.entries(runtime)) files.set(name, await contentOf(file, ctx));
  const python = await loadPyodide({
    createPyodideModule,
    indexURL: "/",
    packageBaseUrl: "/",
    lockFileContents: { info, packages: {} },
    // What Python writes while it starts, and when it breaks down.
    stdout: (line: string) => ctx.log(line),
    stderr: (line: string) => ctx.log(line),
    stdin: () => null,
    enableRunUntilComplete: false,
    // The order of a set of texts is the same everywhere.
    env: { HOME: root, PYTHONHASHSEED: "0", PYTHONDONTWRITEBYTECODE: "1", LANG: "C.UTF-8" },
  });
  files.clear();
  for (const [name, source] of Object.entries(support)) write(python, `${supportRoot}/${name}.py`, source);
  for (const [path, source] of Object.entries(program.modules)) write(python, `${root}/${path}`, source);
  python.runPython(`import sys; sys.path[:0] = ["${root}", "${supportRoot}"]`);
  const runner = python.pyimport("_manyhands_runner") as Runner;
  for (const wheel of wheels) runner.install(wheel.file, await contentOf(wheel, ctx));
  const { module, function: name, spread, combine } = program;
  const prepared = runner.prepare(module, name, spread, combine, bridgeTo(ctx));
  if (typeof prepared !== "boolean") {
    await settled(prepared);
    throw new Error("The function is not ready.");
  }
  return { runner, keepsReferences: prepared };
}

function write(python: Pyodide, path: string, source: string): void {
  python.FS.mkdirTree(path.slice(0, path.lastIndexOf("/")));
  python.FS.writeFile(path, source);
}

async function contentOf(file: RuntimeFile, ctx: KernelContext): Promise<Uint8Array> {
  if ("sha256" in file) return ctx.data(new DataReference(file.sha256, file.size));
  return Uint8Array.from(atob(file.base64), (character) => character.charCodeAt(0));
}

function bridgeTo(ctx: KernelContext): Bridge {
  return {
    index: ctx.index,
    attempt: ctx.attempt,
    resume: encodeValue(ctx.resume),
    // The start of Python reads none, so that the first task of a sandbox has the same stream as the others.
    get seed() {
      return `${ctx.random()}/${ctx.random()}`;
    },
    progress: (fraction) => ctx.progress(fraction),
    log: (line) => ctx.log(line),
    random: () => ctx.random(),
    checkpoint: (state) => ctx.checkpoint(decodeValue(state)),
    data: (reference) => ctx.data(decodeValue(reference) as unknown as DataReference),
    put: async (bytes) => encodeValue(await ctx.put(bytes)),
  };
}

/** A value with the bytes of its data references in their place. */
async function withBytes(value: Value, ctx: KernelContext): Promise<Value> {
  if (DataReference.is(value)) return ctx.data(value);
  if (Array.isArray(value)) {
    const items: Value[] = [];
    for (const item of value as Value[]) items.push(await withBytes(item, ctx));
    return items;
  }
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  const members: [string, Value][] = [];
  for (const [name, member] of Object.entries(value)) members.push([name, await withBytes(member, ctx)]);
  return Object.fromEntries(members);
}
