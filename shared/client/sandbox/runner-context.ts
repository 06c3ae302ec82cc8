import type { RunnerHost } from "../ports.ts";
import { encodeValue, type Value } from "../../wire/codec.ts";
import { DataReference, type BlobName } from "../../data-reference.ts";
import { PlatformError } from "../../errors.ts";
import type { KernelContext, ShownPixels } from "../../wire/kernel.ts";
import { limits } from "../../limits.ts";
import { ownBytes } from "../../wire/plain-bytes.ts";
import { seededRandom } from "../../random.ts";
import type { SandboxTask } from "../sandbox-task.ts";
import { clip, dataFailure, describeThrown } from "./runner-failure.ts";
import type { RunnerReporter } from "./runner-reporter.ts";

// A kernel shares this realm and may replace globals and methods of prototypes: these references are taken before any kernel
// runs.
const { freeze } = Object;
const { isFinite: isFiniteNumber } = Number;
const { stringify } = JSON;
const asText: (value: unknown) => string = String;
const isView = ArrayBuffer.isView.bind(ArrayBuffer);
const isReference = DataReference.is.bind(DataReference);

interface ContextParts {
  readonly task: SandboxTask;
  readonly seed: string;
  readonly resume: Value;
  readonly host: RunnerHost;
  readonly reporter: RunnerReporter;
}

/**
 * The second argument of a kernel for one task. Its methods are own properties, so that a kernel may destructure it (`({ data
 * }) => …`) or spread it into another object. `signal` is on the prototype, because an accessor in an object literal costs 1.5
 * µs to define, more than the rest of a tiny task.
 */
class TaskContext implements KernelContext {
  readonly index: number;
  readonly attempt: number;
  readonly resume: Value;
  readonly data: KernelContext["data"];
  readonly put: KernelContext["put"];
  readonly command: KernelContext["command"];
  readonly progress: KernelContext["progress"];
  readonly checkpoint: KernelContext["checkpoint"];
  readonly random: KernelContext["random"];
  readonly log: KernelContext["log"];
  readonly show: KernelContext["show"];
  #ended = false;
  #random: (() => number) | undefined;
  #controller: AbortController | undefined;

  constructor({ task, seed, resume, host, reporter }: ContextParts) {
    const { index, attempt } = task;
    this.index = index;
    this.attempt = attempt;
    this.resume = resume;
    this.data = async (ref) => {
      if (!isReference(ref))
        throw new TypeError(
          "ctx.data expects a data reference, as it stands in the input or comes from ctx.put.",
        );
      if (this.#ended) throw new Error("ctx.data was called after the task had ended.");
      return fetchData(host, ref);
    };
    this.put = async (bytes) => {
      if (!(bytes instanceof Uint8Array)) throw new TypeError("ctx.put expects a Uint8Array.");
      if (this.#ended) throw new Error("ctx.put was called after the task had ended.");
      return storeData(host, bytes);
    };
    this.command = async (request) => {
      if (this.#ended) throw new Error("ctx.command was called after the task had ended.");
      if (!host.command) throw new Error("This client runs no commands; they need `requires: { command }`.");
      return host.command(request);
    };
    this.progress = (fraction) => {
      if (this.#ended || !isFiniteNumber(fraction)) return;
      reporter.addProgress(index, fraction < 0 ? 0 : fraction > 1 ? 1 : fraction);
    };
    this.checkpoint = (state) => {
      if (!this.#ended) reporter.addCheckpoint(index, encodeCheckpoint(state));
    };
    this.random = () => (this.#random ??= seededRandom(`${seed}/${index}`))();
    this.log = (...logged) => {
      if (!this.#ended) reporter.addLine(index, formatLine(logged));
    };
    this.show = (what) => {
      if (!this.#ended && host.shows) reporter.show(() => shownCopy(what));
    };
    freeze(this);
  }

  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal;
  }

  static end(this: void, context: TaskContext): void {
    context.#ended = true;
    context.#controller?.abort(new Error("The task has ended."));
  }
}

const { end } = TaskContext;
// A kernel gets the context, but must not reach its class.
Reflect.deleteProperty(TaskContext.prototype, "constructor");
freeze(TaskContext.prototype);

/**
 * Makes the context of one task. `end` is called when the task has its outcome: afterwards the context is dead, so that a
 * promise that the kernel left behind cannot act for the next task.
 */
export function createTaskContext(parts: ContextParts): { ctx: KernelContext; end: () => void } {
  const ctx = new TaskContext(parts);
  return { ctx, end: () => end(ctx) };
}

/** The bytes of a blob, or of a range of it. @throws Error that {@link isDataFailure} knows */
export async function fetchData(
  host: RunnerHost,
  { sha256, size, range }: BlobName & Partial<Pick<DataReference, "range">>,
): Promise<Uint8Array> {
  let bytes: unknown;
  try {
    bytes = await host.data({ sha256, size }, range && [range[0], range[1]]);
  } catch (error) {
    throw dataFailure(`Data ${sha256.slice(0, 12)}… could not be had`, error);
  }
  if (!(bytes instanceof Uint8Array)) throw dataFailure("Data could not be had", "no bytes came");
  return ownBytes(bytes);
}

async function storeData(host: RunnerHost, bytes: Uint8Array): Promise<DataReference> {
  try {
    const { sha256, size } = await host.put(bytes);
    return new DataReference(sha256, size);
  } catch (error) {
    throw dataFailure(`${bytes.length} bytes could not be stored`, error);
  }
}

/** The picture alone, because a kernel may hand in an object with more. */
function shownCopy(what: Parameters<KernelContext["show"]>[0]): unknown {
  if (typeof what === "string") return clip(what, limits.shownChars);
  const { width, height, data } = what as ShownPixels;
  const bytes = what instanceof Uint8Array ? what : data;
  if (!(bytes?.length <= (data ? 4 * limits.shownSide ** 2 : limits.shownBytes)))
    throw new RangeError(
      `ctx.show takes a text, a PNG of up to ${limits.shownBytes} bytes, or pixels of up to ${limits.shownSide} x ${limits.shownSide}.`,
    );
  return data ? { width, height, data } : what;
}

function encodeCheckpoint(state: Value): Uint8Array {
  const bytes = encodeValue(state);
  if (bytes.length > limits.checkpointBytes)
    throw new PlatformError(
      "TOO_LARGE",
      `The checkpoint has ${bytes.length} bytes; at most ${limits.checkpointBytes} are allowed. Store large state with ctx.put and checkpoint its reference.`,
    );
  return bytes;
}

function formatLine(parts: readonly unknown[]): string {
  let line = "";
  for (const part of parts) {
    if (line.length > limits.logLineChars) break;
    line += (line === "" ? "" : " ") + formatPart(part);
  }
  return clip(line, limits.logLineChars);
}

function formatPart(part: unknown): string {
  try {
    if (typeof part === "string") return part;
    if (part instanceof Error) return part.stack ?? describeThrown(part).message;
    // The numbers of a whole image would help no reader of the log.
    if (isView(part)) return `${part.constructor.name}(${part.byteLength} bytes)`;
    if (typeof part === "object") return stringify(part);
    return asText(part);
  } catch {
    return "[unprintable]";
  }
}
