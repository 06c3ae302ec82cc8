import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { PythonProgram } from "../../shared/wire/python-program.ts";
import { packageRoot } from "../../system/package-root.ts";
import { nativePythonCode } from "../kernel/program-code.ts";
import { programDeclaration } from "../kernel/program-kernel.ts";
import type { NativeDefinition } from "./definition.ts";
import { sortedByName, valuesOf } from "./support.ts";

/** The module of the kernel of a function in Python that a Python of the client's machine computes. */
export async function nativePythonModule({
  modules,
  module,
  function: name,
  spread,
}: PythonProgram): Promise<string> {
  const read = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), "utf8");
  const definition: NativeDefinition = {
    program: { modules: sortedByName(modules), module, function: name, spread },
    support: {
      manyhands: valuesOf(await readFile(join(packageRoot, "python", "manyhands.py"), "utf8")),
      _manyhands_calls: await read("./calls.py"),
      worker: await read("./native-worker.py"),
    },
  };
  return `${await programDeclaration({ definition, code: nativePythonCode }, "manyhandsKernel")}export default manyhandsKernel;\n`;
}
