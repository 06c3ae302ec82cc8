import { encodeValue, type Value } from "../codec.ts";
import { DataReference } from "../data-reference.ts";
import { PlatformError } from "../errors.ts";
import type { KernelContext } from "../kernel.ts";
import { limits } from "../limits.ts";
import { seededRandom } from "../random.ts";
import type { SandboxTask } from "./ports.ts";
import { clip, dataFailure, describeThrown } from "./runner-failure.ts";
import type { RunnerReporter } from "./runner-reporter.ts";
import type { RunnerHost } from "./runner.ts";

// Taken before any kernel runs: the kernel shares this realm and may replace what it finds on prototypes and globals.
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
 * Makes the second argument of a kernel for one task. `end` is called when the task has its outcome: from then on the
 * context is dead, so that a promise the kernel left behind cannot speak for the next task.
 */
export function createTaskContext(parts: ContextParts): { ctx: KernelContext; end: () => void } {
  const { task, host, reporter } = parts;
  const { index, attempt } = task;
  let ended = false;
  let random: (() => number) | undefined;
  let controller: AbortController | undefined;

  const ctx: KernelContext = freeze({
    index,
    attempt,
    resume: parts.resume,
    async data(ref: DataReference): Promise<Uint8Array> {
      if (!isReference(ref))
        throw new TypeError(
          "ctx.data expects a data reference, as it stands in the input or comes from ctx.put.",
        );
      const { sha256, size, range } = ref;
      if (ended) throw new Error("ctx.data was called after the task had ended.");
      let bytes: unknown;
      try {
        bytes = await host.data({ sha256, size }, range && [range[0], range[1]]);
      } catch (error) {
        throw dataFailure(`Data ${sha256.slice(0, 12)}… could not be had`, error);
      }
      if (!(bytes instanceof Uint8Array)) throw dataFailure("Data could not be had", "no bytes came");
      return bytes;
    },
    async put(bytes: Uint8Array): Promise<DataReference> {
      if (!(bytes instanceof Uint8Array)) throw new TypeError("ctx.put expects a Uint8Array.");
      if (ended) throw new Error("ctx.put was called after the task had ended.");
      try {
        const { sha256, size } = await host.put(bytes);
        return new DataReference(sha256, size);
      } catch (error) {
        throw dataFailure(`${bytes.length} bytes could not be stored`, error);
      }
    },
    progress(fraction: number): void {
      if (ended || !isFiniteNumber(fraction)) return;
      reporter.addProgress(index, fraction < 0 ? 0 : fraction > 1 ? 1 : fraction);
    },
    checkpoint(state: Value): void {
      if (ended) return;
      const bytes = encodeValue(state);
      if (bytes.length > limits.checkpointBytes)
        throw new PlatformError(
          "TOO_LARGE",
          `The checkpoint has ${bytes.length} bytes; at most ${limits.checkpointBytes} are allowed. Store large state with ctx.put and checkpoint its reference.`,
        );
      reporter.addCheckpoint(index, bytes.slice());
    },
    get signal(): AbortSignal {
      controller ??= new AbortController();
      return controller.signal;
    },
    random(): number {
      random ??= seededRandom(`${parts.seed}/${index}`);
      return random();
    },
    log(...logged: unknown[]): void {
      if (!ended) reporter.addLine(index, formatLine(logged));
    },
  });
  const end = (): void => {
    ended = true;
    controller?.abort(new Error("The task has ended."));
  };
  return { ctx, end };
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
    // A whole image written out as numbers would help nobody.
    if (isView(part)) return `${part.constructor.name}(${part.byteLength} bytes)`;
    if (typeof part === "object") return stringify(part);
    return asText(part);
  } catch {
    return "[unprintable]";
  }
}
