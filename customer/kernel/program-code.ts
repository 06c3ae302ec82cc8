import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { moduleBeside } from "../../system/module-beside.ts";

/**
 * The code around programs: a script of one line that kernels begin with. It is the same text in every process of a version, without `**`
 * (powers.ts), so that SDK, server and Python module name the kernel of a program alike (SPEC.md [WASI-1]).
 */
export class ProgramCode {
  /** Makes the kernel of a definition: an expression in JavaScript, behind the code. */
  readonly maker: string;
  readonly #name: string;
  readonly #file: string;
  #made: Promise<string> | undefined;

  /**
   * @param name - of the object that the code declares
   * @param maker - export of the module
   * @param module - beside this one
   */
  constructor(name: string, maker: string, module: string) {
    this.maker = `${name}.${maker}`;
    this.#name = name;
    this.#file = fileURLToPath(moduleBeside(import.meta.url, module));
  }

  text(): Promise<string> {
    return (this.#made ??= build(this.#file, this.#name));
  }
}

/** The code around programs that were compiled to WASI. */
export const wasiCode = new ProgramCode("manyhandsWasi", "programKernel", "../wasi/kernel");

/** The code around commands. */
export const commandCode = new ProgramCode("manyhandsCommand", "commandKernel", "../command-kernel/kernel");

/** The code around functions in Python that a Python of the client's machine computes. */
export const nativePythonCode = new ProgramCode(
  "manyhandsPython",
  "nativePythonKernel",
  "../python-kernel/native-kernel",
);

async function build(input: string, name: string): Promise<string> {
  // The bundler is loaded on demand: most programs have no such kernel.
  const { rolldown } = await import("rolldown");
  const bundle = await rolldown({ input, cwd: dirname(input), platform: "neutral", logLevel: "silent" });
  try {
    const { output } = await bundle.generate({
      format: "iife",
      name,
      codeSplitting: false,
      sourcemap: false,
      // The text without layout is the same of TypeScript and of the package's JavaScript.
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    });
    return `${output[0].code.trim()}\n`;
  } finally {
    await bundle.close();
  }
}
