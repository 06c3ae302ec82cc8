import { fileURLToPath } from "node:url";
import { PlatformError } from "../../shared/errors.ts";
import type { KernelContext } from "../../shared/wire/kernel.ts";
import type { Compare } from "../../shared/wire/rest/verification.ts";
import { bundleKernel, bundleText } from "./bundle.ts";
import { declarationOf } from "./function-source.ts";
import type { AnyKernel, KernelModule } from "./kernel-source.ts";
import { urlOf } from "./module-source.ts";
import { portablePowers } from "./powers.ts";
import { ProgramKernel, programDeclaration, type PreparedProgram } from "./program-kernel.ts";

/**
 * Combines two outputs into one of the same kind. It has to be associative: `combine(combine(a, b), c)` is the same as
 * `combine(a, combine(b, c))`.
 */
export type Combine<Output> = (a: Output, b: Output, ctx: KernelContext) => Output | Promise<Output>;

/** A function, or a kernel module that exports one as `combine`. */
export type AnyCombine =
  ((a: never, b: never, ctx: KernelContext) => unknown) | KernelModule<never, unknown, never> | string | URL;

/**
 * The module of a kernel that applies another one to each of several inputs, an array, and combines the outputs from left to right. Each call
 * has a `ctx` as if it were alone, except that `random` goes on from input to input.
 *
 * @param combine - absent: the kernel module's own
 * @param perTask - inputs of every task but the last
 * @param compare - how the job compares outputs
 * @throws PlatformError BAD_ARGUMENT also for a module without `combine`, or without the `compare` that the job calls, FILE_FAILED
 */
export async function foldingSource(
  kernel: AnyKernel,
  combine: AnyCombine | undefined,
  perTask: number,
  compare?: Compare,
  program?: PreparedProgram,
): Promise<string> {
  if (combine === undefined && (typeof kernel === "function" || kernel instanceof ProgramKernel))
    throw new PlatformError(
      "BAD_ARGUMENT",
      "The kernel is a function or a program, and nothing says how its outputs are combined; expected { combine: (a, b) => … }, or a kernel module that exports `combine`.",
    );
  return bundled([
    program
      ? { text: await programDeclaration(program, kernelName) }
      : await declare(kernel, "default", kernelName),
    await declare(combine ?? kernel, "combine", combineName),
    { text: foldInputs(perTask) },
    ...(await verifying([kernel], compare)),
  ]);
}

/**
 * The module of the kernel whose input is an array of outputs, which it combines from left to right.
 * @param kernel - the kernel that made the outputs, if known
 * @throws as {@link foldingSource}
 */
export async function combiningSource(
  combine: AnyCombine,
  kernel?: AnyKernel,
  compare?: Compare,
): Promise<string> {
  return bundled([
    await declare(combine, "combine", combineName),
    { text: foldOutputs },
    ...(await verifying(kernel === undefined ? [combine] : [combine, kernel], compare)),
  ]);
}

const kernelName = "manyhandsKernel";
const combineName = "manyhandsCombine";

/** Source of a kernel that folds its inputs in order (SPEC.md [REDUCE-1]); python/manyhands.py has the same text. */
const foldInputs = (perTask: number): string => `export default async (inputs, ctx) => {
  const { signal, resume } = ctx;
  const first = ctx.index * ${perTask};
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
      output = await ${kernelName}(inputs[at], own);
    } catch (error) {
      if (error instanceof Error) error.message = \`Input \${first + at}: \${error.message}\`;
      throw error;
    }
    folded = at === 0 ? output : await ${combineName}(folded, output, ctx);
    ctx.progress((at + 1) / inputs.length);
  }
  return folded;
};
`;

const foldOutputs = `export default async (outputs, ctx) => {
  let folded = outputs[0];
  for (let at = 1; at < outputs.length; at++) {
    folded = await ${combineName}(folded, outputs[at], ctx);
    ctx.progress(at / (outputs.length - 1));
  }
  return folded;
};
`;

interface Part {
  readonly text: string;
  /** The file that the text imports. */
  readonly path?: string;
}

async function bundled(parts: readonly Part[]): Promise<string> {
  const text = parts.map((part) => part.text).join("");
  const path = parts.find((part) => part.path !== undefined)?.path;
  return path === undefined ? portablePowers(text) : (await bundleText(text, path)).source;
}

async function declare(
  kernel: AnyKernel | AnyCombine,
  exported: "default" | "combine",
  name: string,
): Promise<Part> {
  if (typeof kernel === "function") return { text: declarationOf(kernel, name) };
  const { path, exports } = await bundleOf(kernel);
  if (!exports.includes(exported))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `The kernel module ${path} exports no \`combine\`; expected \`export function combine(a, b)\`, or the option { combine: (a, b) => … }.`,
    );
  return { text: `import { ${exported} as ${name} } from ${JSON.stringify(path)};\n`, path };
}

/** Passes on the first module's function that compares outputs. */
async function verifying(
  kernels: readonly (AnyKernel | AnyCombine)[],
  compare: Compare | undefined,
): Promise<Part[]> {
  for (const kernel of kernels) {
    if (typeof kernel === "function" || kernel instanceof ProgramKernel) continue;
    const { path, exports } = await bundleOf(kernel);
    if (exports.includes("compare"))
      return [{ text: `export { compare } from ${JSON.stringify(path)};\n`, path }];
  }
  if (compare === "kernel")
    throw new PlatformError(
      "BAD_ARGUMENT",
      'The reduction has compare: "kernel", and none of its kernel modules exports such a function; expected `export function compare(a, b)`.',
    );
  return [];
}

async function bundleOf(
  kernel: Exclude<AnyKernel, (...args: never[]) => unknown>,
): Promise<{ path: string; exports: readonly string[] }> {
  const url = urlOf(kernel);
  const { exports } = await bundleKernel(url);
  return { path: fileURLToPath(url), exports };
}
