import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { PlatformError } from "../../shared/errors.ts";
import type { Value } from "../../shared/wire/codec.ts";
import type { PythonCombine } from "../../shared/wire/python-program.ts";
import type { KernelModule } from "../kernel/kernel-source.ts";
import { OwnWheels, type WheelSource } from "./own-wheels.ts";
import type { AvailableWheel, PythonKernel } from "./runtime.ts";
import { readProgram, type Sources } from "./sources.ts";

const suffix = /\.py:([A-Za-z_]\w*)$/;

/** A function in Python as a kernel. Made by {@link python}. */
export class PythonFunction<Input = Value, Output = Value> implements KernelModule<Input, Output> {
  /** The function's file, with the name of the function behind `#`. */
  readonly url: URL;
  /** Carries the types of the kernel to the job; never set. */
  declare readonly types?: (input: Input) => Output;
  readonly #path: string;
  readonly #function: string;
  /** Name of the jobs that have none of their own. */
  readonly name: string;
  /** The command of clients whose Python computes the function; undefined for the Python that travels in the kernel. */
  readonly command: string | undefined;
  readonly #wheels: readonly WheelSource[];
  /** The function that combines outputs, in a kernel of a reduction, and the inputs of one task. */
  readonly #combine: { readonly by: PythonFunction<never, unknown>; readonly perTask: number } | undefined;

  constructor(path: string, name: string, options: PythonOptions = {}, reduction: ReductionParts = {}) {
    this.url = new URL(`python:${encodeURI(path)}#${name}`);
    this.#path = path;
    this.#function = name;
    this.name = reduction.name ?? name;
    this.command = options.on;
    this.#wheels = options.wheels ?? [];
    this.#combine = reduction.combine;
  }

  /** The function `combine` of the same file. */
  get ownCombine(): PythonFunction {
    return new PythonFunction(this.#path, "combine", this.#options);
  }

  /**
   * The kernel that applies this function to each of several inputs, an array, and combines the outputs from left to right.
   * @param perTask - inputs of every task but the last
   * @throws PlatformError BAD_ARGUMENT for functions that different Pythons compute
   */
  folding(by: PythonFunction<never, unknown>, perTask: number): PythonFunction {
    if (by.command !== this.command)
      throw new PlatformError(
        "BAD_ARGUMENT",
        "The function and the one that combines its outputs are computed by different Pythons; expected the same `on` for both.",
      );
    const wheels = [...new Set([...this.#wheels, ...by.#wheels])];
    return new PythonFunction(
      this.#path,
      this.#function,
      { ...this.#options, wheels },
      { combine: { by, perTask } },
    );
  }

  /** The kernel whose input is an array of outputs, which this function combines from left to right. @param name - of its jobs */
  combining(name: string): PythonFunction {
    return new PythonFunction(this.#path, this.#function, this.#options, {
      name,
      combine: { by: this, perTask: 0 },
    });
  }

  get #options(): PythonOptions {
    return { wheels: this.#wheels, on: this.command };
  }

  /**
   * The kernel, with the modules that its file imports as they are now.
   *
   * @param spread - the function has several arguments, and its input is their array
   * @param embedsFiles - the files of Python travel in the kernel, for tasks that can name no blobs
   * @param available - the wheels of the server
   * @throws PlatformError FILE_FAILED; BAD_ARGUMENT without Pyodide, and for wheels that are none
   */
  async kernel(
    spread: boolean,
    embedsFiles: boolean,
    available: () => Promise<readonly AvailableWheel[]>,
  ): Promise<PythonKernel> {
    const { modules, module, imports, combine } = await this.#read();
    const own = await OwnWheels.open(this.#wheels, embedsFiles);
    const others = imports.filter((name) => !own.modules.has(name));
    const parts = { modules, module, imports: others, ...(combine && { combine }) };
    const program = { ...parts, function: this.#function, spread, wheels: own.wheels };
    // The runtime is loaded on demand: most programs have no kernel in Python.
    const { makePythonKernel } = await import("./make.ts");
    const wheels = others.length > 0 && this.command === undefined ? await available() : [];
    const kernel = await makePythonKernel(program, embedsFiles, wheels, this.command);
    return { ...kernel, refs: kernel.refs.map((ref) => own.files.get(ref.sha256) ?? ref) };
  }

  async #read(): Promise<Sources & { readonly combine?: PythonCombine }> {
    const sources = await readProgram(this.#path, this.#function);
    if (!this.#combine) return sources;
    const { by, perTask } = this.#combine;
    const others = await readProgram(by.#path, by.#function);
    for (const [path, source] of Object.entries(others.modules))
      if ((sources.modules[path] ?? source) !== source)
        throw new PlatformError(
          "BAD_ARGUMENT",
          `The function and the one that combines its outputs have different modules ${path}; expected both in one folder.`,
        );
    return {
      modules: { ...sources.modules, ...others.modules },
      module: sources.module,
      imports: [...new Set([...sources.imports, ...others.imports])].toSorted(),
      combine: { module: others.module, function: by.#function, perTask },
    };
  }
}

interface ReductionParts {
  readonly name?: string;
  readonly combine?: { readonly by: PythonFunction<never, unknown>; readonly perTask: number };
}

export interface PythonOptions {
  /** Packages that the function imports: wheels of pure Python, as files of this machine or data references. */
  readonly wheels?: readonly WheelSource[];
  /** A command of clients that is a Python: it computes the function instead of the one that travels in the kernel. */
  readonly on?: string | undefined;
}

/**
 * A function of a Python file as a kernel, for browsers and Node alike: `f(input)`, or `f(input, ctx)`. The file is imported as a module, with
 * the modules of its own folder or package that it imports; whatever else it imports is in Python's standard library, in `wheels`, or in wheels
 * that the operator put into the server.
 *
 * @example
 * await hands.map(python("model.py:score"), inputs);
 * await hands.map(python<number, number>(new URL("./model.py", import.meta.url), "score"), [1, 2, 3]);
 *
 * @param file - path or `file:` URL of the file; a path may end in `:` and the name of the function
 * @param options - `on`: a command of clients, such as `python3`, whose own Python computes the function, with what is installed there
 * @throws PlatformError BAD_ARGUMENT
 */
export function python<Input = Value, Output = Value>(
  file: string | URL,
  ...[first, second]: [name?: string, options?: PythonOptions] | [options: PythonOptions]
): PythonFunction<Input, Output> {
  const [name, options = {}] = typeof first === "object" ? [undefined, first] : [first, second];
  const given = file instanceof URL || file.startsWith("file:") ? fileURLToPath(file) : file;
  const named = name === undefined ? suffix.exec(given)?.[1] : name;
  const path = name === undefined ? given.replace(/:[^:]*$/, "") : given;
  if (named === undefined || !path.endsWith(".py") || !/^[A-Za-z_]\w*$/.test(named))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `The kernel ${given} names no function of a Python file; expected one such as ${basename(given).replace(/:.*$/, "") || "model.py"}:score.`,
    );
  return new PythonFunction(resolve(path), named, options);
}

/** The kernel in Python that a text such as `model.py:score` names; other kernels as they are. */
export function withPython<Kernel>(kernel: Kernel): Kernel | PythonFunction {
  if (typeof kernel !== "string" || !/\.py(?::\w*)?$/.test(kernel)) return kernel;
  return python(kernel);
}
