import type { Value } from "./codec.ts";
import type { DataReference } from "../data-reference.ts";

/**
 * A kernel: the default export of the ES module that is a job's code. Called once a task; may be async; gets nothing
 * but its two arguments (SPEC.md [KERNEL-*]).
 */
export type Kernel<Input extends Value = Value, Output = Value> = (
  input: Input,
  ctx: KernelContext,
) => Output | Promise<Output>;

/** The second argument of a kernel: all that a kernel can reach besides its input. */
export interface KernelContext {
  /**
   * The bytes of a data reference: from this client's cache, or fetched and verified. Each call gives a `Uint8Array` of its
   * own, whose `buffer` is exactly these bytes: `new Float32Array((await ctx.data(ref)).buffer)`.
   */
  data(ref: DataReference): Promise<Uint8Array>;
  /**
   * Stores bytes that are too large for an output, and returns a reference to put into the output instead. An output over 256
   * KiB becomes a blob without this call.
   */
  put(bytes: Uint8Array): Promise<DataReference>;
  /**
   * Runs the command that the job requires (`requires: { command }`), in an empty directory of the client's machine, and returns its end.
   * @throws Error that says which limit the command exceeded, or why it did not run
   */
  command(request: CommandRequest): Promise<CommandResult>;
  /** Reports the finished part of the task, 0 … 1. Calls may be frequent: reports are coalesced before they leave the machine. */
  progress(fraction: number): void;
  /**
   * Stores progress with the task on the server, so that another machine can go on from there: at most 256 KiB encoded, the
   * newest wins, sent at most every few seconds.
   */
  checkpoint(state: Value): void;
  /** The newest stored checkpoint of this task, or undefined on a first start. */
  readonly resume: Value;
  /** Aborted when the task is no longer wanted. A kernel need not listen: its worker is terminated either way. */
  readonly signal: AbortSignal;
  /** The next number of the task's own stream, uniform in [0, 1): seeded by job and index, equal on every client. */
  random(): number;
  /** A line for the job's log (and the client's console); at most 2,000 characters. */
  log(...parts: unknown[]): void;
  /**
   * Shows the person whose machine computes a text (up to 500 characters), a PNG (up to 128 KiB) or pixels (up to 256 × 256), at most once a
   * second; what comes sooner is not shown. Only volunteer pages show anything.
   */
  show(what: string | Uint8Array | ShownPixels): void;
  /** Position of this task in its job, from 0. */
  readonly index: number;
  /** Number of this attempt, from 1. */
  readonly attempt: number;
}

/** Content of a file of a command. */
export type CommandFile = Uint8Array | DataReference;

/** Arguments and files that a kernel gives to a command. */
export interface CommandRequest {
  /** Arguments, which no shell sees. */
  readonly args?: readonly string[];
  readonly stdin?: CommandFile;
  /** Files by their paths in the command's directory, read-only. */
  readonly files?: Readonly<Record<string, CommandFile>>;
  /** Patterns of paths: files that match are picked up when the command has ended. */
  readonly outputs?: readonly string[];
}

/** The end of a command. */
export interface CommandResult {
  /** Exit code; undefined for a command that a signal ended. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: Uint8Array;
  /** Standard error; of a long one its start and end. */
  readonly stderr: string;
  /** The files that were picked up, by path: bytes up to 64 KiB, larger ones as data references. */
  readonly files: Readonly<Record<string, CommandFile>>;
  /** Paths of other files that the command left, the first of them. */
  readonly left: readonly string[];
}

/** A picture of pixels, as of a browser's `ImageData`: red, green, blue and opacity of each, 0 … 255, row by row. */
export interface ShownPixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray | Uint8Array;
}

/** The last argument of a kernel module's verifying functions: `data` and `log` as of {@link KernelContext}. */
export interface VerifyingContext {
  readonly data: (ref: DataReference) => Promise<Uint8Array>;
  readonly log: (...parts: unknown[]) => void;
}

/**
 * A kernel module whose functions verify results of strangers. The functions run on trusted node clients, in a sandbox, within the
 * job's `timeoutMs` and `memoryMb`.
 */
export interface KernelExports<Input extends Value = Value, Output = Value> {
  readonly default: Kernel<Input, Output>;
  /**
   * Whether the output is correct; called for every result of a stranger when the job has `check: true`. Any return
   * value except `true` means that the client of the output lied. When `check` throws, the result is computed again instead.
   */
  check?(input: Input, output: Output, ctx: VerifyingContext): boolean | Promise<boolean>;
  /** Whether the output should be computed a second time, although it may be correct; called as `check` is. */
  suspicious?(output: Output, ctx: VerifyingContext): boolean | Promise<boolean>;
  /** Whether two outputs of one input agree; called when the job has `compare: "kernel"` and their bytes differ. */
  compare?(a: Output, b: Output, ctx: VerifyingContext): boolean | Promise<boolean>;
}
