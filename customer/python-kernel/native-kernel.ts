import { DataReference } from "../../shared/data-reference.ts";
import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import type { CommandFile, KernelContext } from "../../shared/wire/kernel.ts";
import type { FunctionDefinition } from "./definition.ts";
import { PythonFailure, unfit } from "./outcome.ts";

/** The outcome of a call, and the lines that it printed. */
type Told = readonly [
  outcome:
    | readonly ["done", Value]
    | readonly ["unfit", reason: string]
    | readonly ["failed", message: string, stack: string],
  lines: readonly string[],
];

/** The kernel of a function in Python that a Python of the client's machine computes, in a process of its own for each task. */
export function nativePythonKernel({
  program,
  support,
}: FunctionDefinition): (input: Value, ctx: KernelContext) => Promise<Value> {
  const encoder = new TextEncoder();
  const sources = [
    ...Object.entries(support).map(([name, source]) => [`manyhands/${name}.py`, source] as const),
    ...Object.entries(program.modules).map(([path, source]) => [`kernel/${path}`, source] as const),
  ].map(([path, source]) => [path, encoder.encode(source)] as const);
  return async (input, ctx) => {
    const files: Record<string, CommandFile> = Object.fromEntries(sources);
    const data: Value[] = [];
    for (const reference of new Set(referencesIn(input))) {
      const { sha256, size, range = [0, size] } = reference;
      const path = `data/${data.length}`;
      data.push([sha256, range[0], range[1], path]);
      files[path] = reference;
    }
    const task = {
      input,
      data,
      module: program.module,
      function: program.function,
      spread: program.spread,
      combine: program.combine ?? null,
      index: ctx.index,
      attempt: ctx.attempt,
      seed: `${ctx.random()}/${ctx.random()}`,
    };
    const args = ["-B", "manyhands/worker.py"];
    const end = await ctx.command({ args, stdin: encodeValue(task), files, outputs: ["put/*"] });
    if (end.stderr.trim() !== "") ctx.log(end.stderr);
    if (end.exitCode !== 0) {
      const how =
        end.signal === undefined ? `ended with exit code ${end.exitCode}` : `was ended by ${end.signal}`;
      throw new Error(`Python ${how}. Standard error:\n${end.stderr.trim()}`);
    }
    const [outcome, lines] = decodeValue(end.stdout) as unknown as Told;
    for (const line of lines) ctx.log(line);
    if (outcome[0] === "failed") throw new PythonFailure(outcome[1], outcome[2]);
    if (outcome[0] === "unfit") return unfit(outcome[1]);
    // Large files are blobs already.
    for (const file of Object.values(end.files)) if (!DataReference.is(file)) await ctx.put(file);
    return outcome[1];
  };
}

function referencesIn(value: Value): DataReference[] {
  if (DataReference.is(value)) return [value];
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return [];
  return Object.values(value).flatMap((member: Value) => referencesIn(member));
}
