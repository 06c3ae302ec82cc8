import { decodeValue, encodeValue, type Value } from "../../shared/wire/codec.ts";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sandbox, SandboxFactory, SandboxHost, SandboxReport } from "../../shared/client/ports.ts";
import type { FinishedTask } from "../../shared/client/sandbox-task.ts";
import { packTasks } from "../../shared/client/sandbox/packs.ts";
import { readReport } from "../../shared/client/sandbox/report.ts";
import { vectorSeed, type KernelVector } from "./kernel-vectors.ts";

/** Outcome of a vector in plain values, so that it can be passed out of a browser. */
export interface Observed {
  readonly state: "done" | "failed" | "unloadable" | "hangs" | "ended";
  readonly output?: Value;
  readonly kind?: string;
  readonly message?: string;
  readonly stack?: string;
  readonly progress?: number;
  readonly checkpoint?: Value;
  readonly log: string[];
  /** Milliseconds from `terminate` to the end. */
  readonly endedAfterMs: number;
}

type Outcome = Omit<Observed, "log" | "endedAfterMs" | "progress" | "checkpoint">;

/** Enough for any vector that ends, on a busy machine. */
const patienceMs = 30_000;
const hangsMs = 1_500;

/** Runs a vector in a fresh sandbox. The function is independent of the platform and can be bundled into a page. */
export async function runVector(
  factory: SandboxFactory,
  vector: KernelVector,
  data?: SandboxHost["data"],
): Promise<Observed> {
  const reports: SandboxReport[] = [];
  const host = { ...hostOf(vector, reports), ...(data && { data }) };
  const sandbox = await factory.create(host, { slot: 0, memoryMb: vector.memoryMb ?? 256 });
  const outcome = await compute(sandbox, vector, reports);
  const terminatedAt = performance.now();
  sandbox.terminate();
  await sandbox.ended;
  const endedAfterMs = performance.now() - terminatedAt;
  const progress = reports.findLast((report) => report.progress)?.progress?.fraction;
  const checkpoint = reports.findLast((report) => report.checkpoint)?.checkpoint?.state;
  return {
    ...outcome,
    ...(progress !== undefined && { progress }),
    ...(checkpoint && { checkpoint: decodeValue(checkpoint) }),
    log: reports.flatMap((report) => report.log?.lines ?? []),
    endedAfterMs,
  };
}

async function compute(
  sandbox: Sandbox,
  vector: KernelVector,
  reports: readonly SandboxReport[],
): Promise<Outcome> {
  const source = new TextEncoder().encode(vector.source);
  const kernelSha256 = sha256Hex(source);
  const task = {
    index: 0,
    attempt: 1,
    input: vector.inputBytes ?? encodeValue(vector.input),
    ...(vector.resume !== undefined && { resume: encodeValue(vector.resume) }),
    ...(vector.call && { call: { ...vector.call, value: encodeValue(vector.call.value) } }),
    ...(vector.resumeBytes && { resume: vector.resumeBytes }),
  };
  const ended = sandbox.ended.then((end): Outcome => {
    return { state: "ended", kind: end.kind, ...(end.reason !== undefined && { message: end.reason }) };
  });
  const ran = async (): Promise<Outcome> => {
    try {
      await sandbox.load(kernelSha256, source);
    } catch (error) {
      return { state: "unloadable", message: error instanceof Error ? error.message : String(error) };
    }
    await sandbox.run({ kernelSha256, seed: vectorSeed, tasks: packTasks([task]) });
    return outcomeOf(reports.flatMap(({ finished = [] }) => finished)[0]);
  };
  const brief = ["hangs", "survives"].includes(vector.expect.state);
  const limitMs = brief ? hangsMs : patienceMs;
  const hangs = new Promise<Outcome>((resolve) => setTimeout(() => resolve({ state: "hangs" }), limitMs));
  // A call into a dying sandbox rejects; `ended` has the reason.
  return Promise.race([ran().catch(() => ended), ended, hangs]);
}

function outcomeOf(task: FinishedTask | undefined): Outcome {
  if (!task) throw new Error("The bundle ended without a report of its task.");
  const { outcome } = task;
  if (outcome.state === "failed") return { state: "failed", ...outcome.failure };
  return { state: "done", output: decodeValue(outcome.output) };
}

function hostOf({ blobs = [] }: KernelVector, reports: SandboxReport[]): SandboxHost {
  const held = new Map<string, Uint8Array>(blobs.map((bytes) => [sha256Hex(bytes), bytes]));
  return {
    data: async (name, range) => {
      const bytes = held.get(name.sha256);
      if (!bytes) throw new PlatformError("NOT_FOUND", `There is no blob ${name.sha256}.`);
      return range ? bytes.slice(range[0], range[1]) : bytes.slice();
    },
    put: async (bytes) => {
      const sha256 = sha256Hex(bytes);
      held.set(sha256, bytes);
      return { sha256, size: bytes.length };
    },
    report: (report) => void reports.push(readReport(report)),
  };
}
