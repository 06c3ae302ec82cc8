import { sha256Hex } from "../../shared/hash.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import { BlobAccess } from "../../shared/client/data/blob-access.ts";
import type { ClientPorts, SandboxFactory } from "../../shared/client/ports.ts";
import { SandboxDriver } from "../../shared/client/sandbox/driver.ts";
import { Session } from "../../shared/client/session/session.ts";
import type { SessionEvent, SessionInstruction } from "../../shared/client/session/events.ts";
import { encodeValue } from "../../shared/wire/codec.ts";
import type { TaskResult } from "../../shared/wire/protocol.ts";

/** Kernels that work for 20 ms on every task, and try to have that measured as no time. */
export const timeThieves: Readonly<Record<string, string>> = {
  "replaces Math and the clocks": `
    Math.max = Math.min = () => 0;
    globalThis.performance = { now: () => 0 };
    Date.now = () => 0;
    export default (x) => { work(); return x; };`,
  "returns first and works then": `
    export default (x) => { Promise.resolve().then(work); return x; };`,
};

/** Run time of one task of a time thief. */
export const workMs = 20;

const withWork = (kernel: string): string => `
  const now = performance.now.bind(performance);
  const work = () => { const end = now() + ${workMs}; while (now() < end); };
  ${kernel}`;

/**
 * Runs tasks through the client's session, driver and a real sandbox.
 * @returns the run times that the client would tell the server
 */
export async function measuredTimes(
  factory: SandboxFactory,
  thief: string,
  count: number,
): Promise<number[]> {
  const source = new TextEncoder().encode(withWork(thief));
  const kernel = { sha256: sha256Hex(source), size: source.length };
  const unused = (): never => {
    throw new Error("Not used here.");
  };
  const ports: Pick<ClientPorts, "sandboxes" | "blobs" | "cache" | "clock" | "log" | "random"> = {
    sandboxes: factory,
    blobs: {
      fetch: async () => source,
      hash: async () => kernel.sha256,
      chunks: unused,
      upload: unused,
    },
    cache: {
      get: async () => source,
      put: async () => undefined,
      list: async () => [],
      onChange: () => undefined,
    },
    clock: {
      now: () => performance.now(),
      setTimer: (ms, callback) => {
        const timer = setTimeout(callback, ms);
        return () => clearTimeout(timer);
      },
    },
    random: () => 0.5,
    log: () => undefined,
  };
  const session = new Session({
    description: {
      kind: "node",
      name: "measured",
      memoryMb: 1024,
      webgpu: false,
      version: "0.1.0",
    },
    slots: 1,
    servers: ["http://a/"],
    checkpointIntervalMs: 5000,
    sandboxIdleMs: Infinity,
    random: () => 0.5,
  });
  const results: TaskResult[] = [];
  const all = Promise.withResolvers<void>();
  const driver = new SandboxDriver(ports, new BlobAccess(ports), feed);
  function feed(event: SessionEvent): void {
    for (const instruction of session.handle(event, performance.now())) carryOut(instruction);
  }
  function carryOut(instruction: SessionInstruction): void {
    if (instruction.type === "openSandbox") driver.open(instruction);
    if (instruction.type === "closeSandbox") driver.close(instruction.sandbox);
    if (instruction.type === "runTasks") driver.run(instruction);
    if (instruction.type !== "sendMessage" || instruction.message.type !== "results") return;
    results.push(...instruction.message.results);
    if (results.length === count) all.resolve();
  }
  feed({ type: "startAsked" });
  feed({ type: "stateLoaded", outbox: [], cached: [] });
  feed({ type: "connectionOpened" });
  const message = {
    type: "welcome" as const,
    version: "0.1.0",
    identity: { client: "c_aaaaaaaaaaaaaaaa" as ClientId, secret: "s".repeat(32) },
    ticket: "t",
    heartbeatMs: 60_000,
    dropped: [],
  };
  feed({ type: "messageReceived", message });
  const descriptor = {
    id: "j_aaaaaaaaaaaaaaaa" as JobId,
    name: "thief",
    customer: "mallory",
    kernel,
    seed: "0",
    timeoutMs: 60_000,
    memoryMb: 256,
  };
  const tasks = Array.from({ length: count }, (_, index) => ({
    index,
    attempt: 1,
    input: encodeValue(index),
  }));
  feed({ type: "messageReceived", message: { type: "lease", job: descriptor, tasks } });
  await all.promise;
  feed({ type: "stopAsked" });
  const failed = results.find(({ outcome }) => outcome.state === "failed");
  if (failed) throw new Error(JSON.stringify(failed));
  return results.map(({ elapsedMs }) => elapsedMs);
}
