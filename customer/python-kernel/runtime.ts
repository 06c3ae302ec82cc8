import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { ProgramWheel, PythonProgram } from "../../shared/wire/python-program.ts";
import { checkFits, type PythonBuild } from "../../shared/wheel.ts";
import { wheelsWith, type WheelInfo } from "../../shared/wire/wheels.ts";
import { moduleBeside } from "../../system/module-beside.ts";
import { portablePowers } from "../kernel/powers.ts";
import type { PythonDefinition, RuntimeFile } from "./definition.ts";
import { functionOf, supportWith } from "./support.ts";

/** Files of Pyodide that travel as blobs. */
const fileNames = ["pyodide.asm.wasm", "python_stdlib.zip"];

/** A blob that each task of a kernel names, and where its bytes are; neither for one that is the customer's already. */
export interface PythonFile extends BlobName {
  readonly path?: string;
  readonly read?: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** A wheel that the server has for functions in Python. */
export type AvailableWheel = WheelInfo & Required<Pick<PythonFile, "read">> & Pick<PythonFile, "path">;

/** A kernel in Python, and the blobs that each of its tasks names. */
export interface PythonKernel {
  readonly source: string;
  readonly refs: readonly PythonFile[];
  /** Imports for which there is no wheel, be they of the standard library or not. */
  readonly missing: readonly string[];
}

interface RuntimePart extends BlobName {
  readonly name: string;
  readonly path: string;
}

/**
 * Makes kernels of functions in Python: Pyodide (https://pyodide.org), which is Python in WebAssembly, with the sources of the function. The
 * same program gives the same text.
 */
export class PythonRuntime {
  readonly #code: string;
  readonly #info: PythonDefinition["info"];
  readonly #files: readonly RuntimePart[];
  readonly #support: Readonly<Record<string, string>>;

  private constructor(
    code: string,
    info: PythonDefinition["info"],
    files: readonly RuntimePart[],
    support: Readonly<Record<string, string>>,
  ) {
    this.#code = code;
    this.#info = info;
    this.#files = files;
    this.#support = support;
  }

  /** Makes the kernel of a program with the runtime of this process. */
  static async make(
    program: PythonProgram,
    embedsFiles: boolean,
    wheels: readonly AvailableWheel[] = [],
  ): Promise<PythonKernel> {
    return (await PythonRuntime.open()).kernel(program, embedsFiles, wheels);
  }

  /** @throws PlatformError BAD_ARGUMENT for a wheel of another Python than Pyodide's, and without Pyodide */
  static async checkWheel(file: string): Promise<void> {
    checkFits(file, buildOf(await readInfo(pyodideFolder())));
  }

  static #opened: Promise<PythonRuntime> | undefined;

  /** The runtime of this process, which is opened once. @throws PlatformError BAD_ARGUMENT when Pyodide is not installed */
  static open(): Promise<PythonRuntime> {
    if (PythonRuntime.#opened) return PythonRuntime.#opened;
    const opening = PythonRuntime.#open();
    PythonRuntime.#opened = opening;
    // Pyodide may be installed later.
    opening.catch(() => (PythonRuntime.#opened = undefined));
    return opening;
  }

  static async #open(): Promise<PythonRuntime> {
    const folder = pyodideFolder();
    const [code, info, files, support] = await Promise.all([
      bundle(folder),
      readInfo(folder),
      Promise.all(fileNames.map((name) => named(join(folder, name), name))),
      supportWith("_manyhands_runner", "./runner.py"),
    ]);
    return new PythonRuntime(code, info, files, support);
  }

  /**
   * The kernel of a program.
   * @param embedsFiles - whether the files of Pyodide travel in the kernel, for tasks that can name no blobs
   * @param available - wheels of the server, of which those come along that the program imports
   */
  async kernel(
    program: PythonProgram,
    embedsFiles: boolean,
    available: readonly AvailableWheel[],
  ): Promise<PythonKernel> {
    const { imports = [], wheels: given = [] } = program;
    const files: Record<string, RuntimeFile> = {};
    for (const { name: file, path, sha256, size } of this.#files)
      files[file] = embedsFiles ? { base64: await readFile(path, "base64") } : { sha256, size };
    for (const { file } of given) checkFits(file, buildOf(this.#info));
    const taken = wheelsWith(imports, available);
    const wheels = taken.map(async ({ file, sha256, size, read }): Promise<ProgramWheel> =>
      embedsFiles ? { file, base64: Buffer.from(await read()).toString("base64") } : { file, sha256, size },
    );
    const definition: PythonDefinition = {
      program: functionOf(program),
      wheels: [...given, ...(await Promise.all(wheels))],
      files,
      info: this.#info,
      support: this.#support,
    };
    return {
      source: `${this.#code}export default pythonKernel(${JSON.stringify(definition)});\n`,
      refs: embedsFiles ? [] : [...this.#files, ...taken, ...given.filter(isBlob)],
      missing: imports.filter((each) => !taken.some((wheel) => wheel.modules.includes(each))),
    };
  }
}

function buildOf({ python = "", abi_version: abi = "" }: PythonDefinition["info"]): PythonBuild {
  return { python, abi };
}

async function readInfo(folder: string): Promise<PythonDefinition["info"]> {
  const lock = JSON.parse(await readFile(join(folder, "pyodide-lock.json"), "utf8")) as Pick<
    PythonDefinition,
    "info"
  >;
  return lock.info;
}

function isBlob(wheel: ProgramWheel): wheel is ProgramWheel & BlobName {
  return "sha256" in wheel;
}

function pyodideFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve("pyodide/package.json"));
  } catch (error) {
    throw new PlatformError(
      "BAD_ARGUMENT",
      "Functions in Python need Pyodide, an npm package of 14 MB, which is not installed here; `npm install pyodide@314.0.7` brings it.",
      error,
    );
  }
}

async function named(path: string, name: string): Promise<RuntimePart> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { name, path, sha256: hash.digest("hex") as Sha256, size };
}

/** Bundles Pyodide with the code that calls it into one module, whose export is `pythonKernel`. */
async function bundle(folder: string): Promise<string> {
  const { rolldown } = await import("rolldown");
  const kernel = fileURLToPath(moduleBeside(import.meta.url, "./kernel"));
  const shell = fileURLToPath(moduleBeside(import.meta.url, "./shell"));
  const absent = "\0manyhands:absent";
  const build = await rolldown({
    input: kernel,
    cwd: dirname(kernel),
    platform: "neutral",
    resolve: { mainFields: ["module", "main"], conditionNames: ["import", "default"] },
    // Pyodide looks for its own place only where it is told none.
    transform: { define: { "import.meta.url": '"file:///pyodide.mjs"' } },
    plugins: [
      {
        name: "manyhands-pyodide",
        resolveId(id) {
          if (/^(?:node:|ws$)/.test(id)) return absent;
          return id.startsWith("pyodide/") ? join(folder, id.slice("pyodide/".length)) : null;
        },
        load: (id) => (id === absent ? "export default {};" : null),
        transform(code, id) {
          if (!id.startsWith(folder)) return null;
          return `import { Date, Math, performance, read, load, readbuffer, os, process } from ${JSON.stringify(shell)};\n${code}`;
        },
      },
    ],
    logLevel: "silent",
  });
  try {
    const { output } = await build.generate({
      format: "esm",
      codeSplitting: false,
      sourcemap: false,
      minify: false,
    });
    return await portablePowers(output[0].code);
  } finally {
    await build.close();
  }
}
