import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../system/package-root.ts";
import { commandModule } from "./kernel/command.ts";
import { wasiCode } from "./kernel/program-code.ts";
import { makePythonKernel } from "./python-kernel/make.ts";
import { PythonRuntime } from "./python-kernel/runtime.ts";

/** The Python module and the kernels of the SDK, which servers hand out to customers without npm. */
export const customerCode = {
  pythonModule: (): Promise<string> => readFile(join(packageRoot, "python", "manyhands.py"), "utf8"),
  programCode: (): Promise<string> => wasiCode.text(),
  commandKernel: commandModule,
  pythonKernel: makePythonKernel,
  checkWheel: (file: string): Promise<void> => PythonRuntime.checkWheel(file),
};
