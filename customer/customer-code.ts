import type { CommandKernel } from "../shared/wire/command-kernel.ts";
import { commandCode, wasiCode } from "./kernel/program-code.ts";
import { programModule } from "./kernel/program-kernel.ts";
import { makePythonKernel } from "./python-kernel/make.ts";
import { PythonRuntime } from "./python-kernel/runtime.ts";
import { pythonModule } from "./python-kernel/support.ts";

/** The Python module and the kernels of the SDK, which servers hand out to customers without npm. */
export const customerCode = {
  pythonModule,
  programCode: (): Promise<string> => wasiCode.text(),
  commandKernel: (definition: CommandKernel): Promise<string> =>
    programModule({ definition, code: commandCode }),
  pythonKernel: makePythonKernel,
  checkWheel: (file: string): Promise<void> => PythonRuntime.checkWheel(file),
};
