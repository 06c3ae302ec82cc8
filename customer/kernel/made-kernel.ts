/** A kernel whose module the SDK makes of other kernels. */
export class MadeKernel {
  /** Name of the jobs that have none of their own. */
  readonly name: string;
  readonly source: () => Promise<string>;

  constructor(name: string, source: () => Promise<string>) {
    this.name = name;
    this.source = source;
  }
}
