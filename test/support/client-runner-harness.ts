import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { SandboxReport } from "../../shared/client/ports.ts";
import type { FinishedTask } from "../../shared/client/sandbox-task.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { readReport } from "../../shared/client/sandbox/report.ts";
import { createKernelRunner } from "../../shared/client/sandbox/runner.ts";

export const kernelSha256 = sha256Hex(new Uint8Array());

/** A runner in this realm, on a clock that a test sets, and that moves by `stepMs` at each reading. */
export class RunnerHarness {
  readonly reports: SandboxReport[] = [];
  readonly blobs = new Map<string, Uint8Array>();
  now = 0;
  stepMs = 0;
  readonly runner = createKernelRunner({
    importModule: (source) =>
      import(/* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(source).toString("base64")}`),
    now: () => (this.now += this.stepMs),
    timers: { begin: () => undefined, end: () => undefined },
    host: {
      data: async ({ sha256 }: BlobName, range) => {
        const bytes = this.blobs.get(sha256);
        if (!bytes) throw new PlatformError("NOT_FOUND", "no such blob");
        return range ? bytes.slice(...range) : bytes.slice();
      },
      put: async (bytes) => {
        const sha256 = sha256Hex(bytes);
        this.blobs.set(sha256, bytes);
        return { sha256, size: bytes.length };
      },
      report: (report) => this.reports.push(readReport(report)),
    },
  });

  /** Loads a kernel given as source of its default export and runs it over the inputs. */
  async run(source: string, inputs: readonly Value[], resume?: Value): Promise<FinishedTask[]> {
    const module = new TextEncoder().encode(`export default ${source}`);
    const sha256 = sha256Hex(module);
    await this.runner.load(sha256, module);
    const rest = await this.runner.run({
      kernelSha256: sha256,
      seed: "seed",
      tasks: packTasks(
        inputs.map((input, index) => ({
          index,
          attempt: 1,
          input: encodeValue(input),
          ...(resume !== undefined && { resume: encodeValue(resume) }),
        })),
      ),
    });
    if (rest) this.reports.push(readReport(rest));
    return this.finished;
  }

  get finished(): FinishedTask[] {
    return this.reports.flatMap(({ finished = [] }) => finished);
  }
}

export function outputOf(task: FinishedTask | undefined): Value {
  if (task?.outcome.state !== "done") throw new Error(`not done: ${JSON.stringify(task)}`);
  return decodeValue(task.outcome.output);
}

export function failureOf(task: FinishedTask | undefined) {
  if (task?.outcome.state !== "failed") throw new Error(`not failed: ${JSON.stringify(task)}`);
  return task.outcome.failure;
}
