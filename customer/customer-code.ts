import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../system/package-root.ts";
import { commandModule } from "./kernel/command.ts";
import { wasiCode } from "./kernel/program-code.ts";
import { makePythonKernel } from "./python-kernel/make.ts";
import { PythonRuntime } from "./python-kernel/runtime.ts";

/** What customers without npm get from their server: the Python module, and kernels as the SDK makes them. */
export const customerCode = {
  pythonModule: (): Promise<string> => readFile(join(packageRoot, "python", "manyhands.py"), "utf8"),
  programCode: (): Promise<string> => wasiCode.text(),
  commandKernel: commandModule,
  pythonKernel: makePythonKernel,
  checkWheel: (file: string): Promise<void> => PythonRuntime.checkWheel(file),
};
