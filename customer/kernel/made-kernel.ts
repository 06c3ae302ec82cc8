import type { PreparedProgram, ProgramKernel } from "./program-kernel.ts";

/** A kernel whose module the SDK makes of other kernels. */
export class MadeKernel {
  /** Name of the jobs that have none of their own. */
  readonly name: string;
  readonly source: (program?: PreparedProgram) => Promise<string>;
  /** The program among those kernels. */
  readonly program: ProgramKernel<unknown> | undefined;

  constructor(name: string, source: MadeKernel["source"], program?: ProgramKernel<unknown>) {
    this.name = name;
    this.source = source;
    this.program = program;
  }
}
