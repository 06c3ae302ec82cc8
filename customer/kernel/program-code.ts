import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { moduleBeside } from "../../system/module-beside.ts";

/** Name of the object that the code declares. Its `programKernel` makes the kernel of a program (customer/wasi/kernel.ts). */
export const programCodeName = "manyhandsWasi";

let made: Promise<string> | undefined;

/**
 * The code around programs that were compiled to WASI: a script of one line that kernels begin with. It is the same text in every process of a
 * version, without `**` (powers.ts), so that SDK and Python module name the kernel of a program alike (SPEC.md [WASI-1]).
 */
export function programCode(): Promise<string> {
  return (made ??= build());
}

async function build(): Promise<string> {
  // The bundler is loaded on demand: most programs have no such kernel.
  const { rolldown } = await import("rolldown");
  const input = fileURLToPath(moduleBeside(import.meta.url, "../wasi/kernel"));
  const bundle = await rolldown({ input, cwd: dirname(input), platform: "neutral", logLevel: "silent" });
  try {
    const { output } = await bundle.generate({
      format: "iife",
      name: programCodeName,
      codeSplitting: false,
      sourcemap: false,
      // Without layout the text is the same of TypeScript and of the package's JavaScript.
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    });
    return `${output[0].code.trim()}\n`;
  } finally {
    await bundle.close();
  }
}
