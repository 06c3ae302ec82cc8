/** Bundles the entry of sandbox processes into one module and writes it to standard output. */
import { join } from "node:path";
import { rolldown } from "rolldown";

const bundle = await rolldown({
  input: join(import.meta.dirname, "entry.ts"),
  platform: "node",
  logLevel: "silent",
});
// Names stay: they stand in the stacks that kernels' authors read.
const { output } = await bundle.generate({
  format: "esm",
  minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
});
await bundle.close();
process.stdout.write(output[0].code);
