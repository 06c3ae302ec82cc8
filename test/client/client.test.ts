import { describe, expect, test } from "vitest";
import { encodeValue } from "../../shared/wire/codec.ts";
import { PlatformError } from "../../shared/errors.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { Sha256 } from "../../shared/ids.ts";
import {
  decodeClientFrame,
  encodeFrame,
  type ClientMessage,
  type ServerMessage,
} from "../../shared/wire/protocol.ts";
import { createClient } from "../../shared/client/client.ts";
import type { OutboxEntry, TransportHandlers } from "../../shared/client/ports.ts";
import type { ClientStatus } from "../../shared/client/status.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import { descriptor, identity, leased } from "../support/client-session-harness.ts";
import { settled, VirtualClock } from "../support/client-virtual-clock.ts";
import { ModelSandboxes, type PowerfulKernel } from "../support/client-world.ts";
import { chunkDigests, hash } from "../support/chunks.ts";

const source = new TextEncoder().encode("kernel");
const kernel = { sha256: sha256Hex(source), size: source.length };
const job = descriptor({ kernel });
const input = (value: number) => encodeValue(value);

/** A client and its server, which the test plays. */
class Bench {
  readonly clock = new VirtualClock();
  readonly heard: ClientMessage[][] = [];
  readonly statuses: ClientStatus[] = [];
  readonly log: string[] = [];
  readonly blobs = new Map<string, Uint8Array>([[kernel.sha256, source]]);
  /** Names of the blobs that were fetched. */
  readonly fetched: string[] = [];
  readonly saved: OutboxEntry[] = [];
  readonly sandboxes: ModelSandboxes;
  handlers: TransportHandlers | undefined;
  closed: string | undefined;
  outboxContent: unknown[] = [];
  readonly identities: Identity[] = [];
  readonly client;

  constructor(run: PowerfulKernel = (x) => x) {
    this.sandboxes = new ModelSandboxes(this.clock, () => 0.5, new Map([["kernel", run]]));
    this.client = createClient(
      {
        clock: this.clock,
        random: () => 0.5,
        transport: {
          connect: (handlers) => {
            this.handlers = handlers;
            return {
              bufferedBytes: 0,
              send: (frame) => void this.heard.push(decodeClientFrame(frame)),
              close: (_code, reason) => (this.closed = reason),
            };
          },
        },
        blobs: {
          fetch: async ({ sha256 }) => {
            this.fetched.push(sha256);
            return this.blobs.get(sha256)!.slice();
          },
          chunks: async ({ sha256 }) => chunkDigests(this.blobs.get(sha256)!),
          hash,
          upload: async (bytes) => {
            const sha256: Sha256 = sha256Hex(bytes);
            this.blobs.set(sha256, bytes);
            return { sha256, size: bytes.length };
          },
        },
        cache: { get: async () => undefined, put: async () => {}, list: async () => [], onChange: () => {} },
        outbox: {
          load: async () => this.outboxContent as OutboxEntry[],
          save: async (entries) => void this.saved.push(...entries),
          remove: async () => {},
        },
        sandboxes: this.sandboxes,
        keepIdentity: (identity) => void this.identities.push(identity),
        log: (_level, message) => void this.log.push(message),
      },
      { kind: "node", name: "bench", memoryMb: 64, webgpu: false, version: "0.1.0" },
      { slots: 1, onStatus: (status) => this.statuses.push(status) },
    );
  }

  say(...messages: ServerMessage[]): void {
    this.handlers?.received(encodeFrame(messages));
  }

  async join(): Promise<void> {
    this.client.start();
    await settled();
    this.handlers?.opened();
    this.say({
      type: "welcome",
      version: "0.1.0",
      identity,
      ticket: "t",
      heartbeatMs: 60_000,
      dropped: [],
    });
    await settled();
  }

  of<T extends ClientMessage["type"]>(type: T): Extract<ClientMessage, { type: T }>[] {
    return this.heard
      .flat()
      .filter((message): message is Extract<ClientMessage, { type: T }> => message.type === type);
  }

  async until(condition: () => boolean): Promise<void> {
    for (let steps = 0; !condition(); steps++) {
      expect(steps).toBeLessThan(10_000);
      await this.clock.step();
    }
  }
}

describe("the client over its ports", () => {
  test("computes a lease and delivers it", async () => {
    const bench = new Bench((x) => (x as number) * 2);
    await bench.join();
    bench.say({ type: "lease", job, tasks: [leased(0, { input: input(21) })] });
    await bench.until(() => bench.of("results").length > 0);
    expect(bench.of("results")[0]?.results[0]?.outcome).toEqual({ state: "done", output: encodeValue(42) });
    bench.say({ type: "accepted", job: job.id, indexes: [0] });
    expect(bench.client.status).toMatchObject({ done: 1, unsent: 0, connection: { state: "connected" } });
  });

  test("messages of one turn of the event loop leave as one frame", async () => {
    const bench = new Bench();
    await bench.join();
    const frames = bench.heard.length;
    bench.say({ type: "lease", job, tasks: [leased(0), leased(1)] }, { type: "heartbeat" });
    bench.client.pause();
    bench.client.resume();
    bench.client.pause();
    await settled();
    expect(bench.heard).toHaveLength(frames + 1);
    expect(bench.heard.at(-1)?.map(({ type }) => type)).toContain("release");
  });

  test("[TRANSFER-4] data of tasks that were cancelled is not fetched", async () => {
    const bench = new Bench();
    await bench.join();
    const names = Array.from({ length: 8 }, (_, at) => {
      const bytes = encodeValue(at);
      const sha256: Sha256 = sha256Hex(bytes);
      bench.blobs.set(sha256, bytes);
      return { sha256, size: bytes.length };
    });
    bench.say({ type: "lease", job, tasks: [leased(0, { input: names[0]! })] });
    await bench.until(() => bench.of("results").length > 0);
    bench.say(
      { type: "lease", job, tasks: names.slice(1).map((blob, at) => leased(at + 1, { input: blob })) },
      { type: "cancel", job: job.id },
    );
    bench.say({ type: "lease", job, tasks: [leased(9, { input: input(9) })] });
    await bench.until(() => bench.of("results").length > 1);
    // The three transfers that a client begins at once had begun before the cancel.
    expect(bench.fetched).toEqual([kernel.sha256, ...names.slice(0, 4).map(({ sha256 }) => sha256)]);
  });

  test("stop: goodbye is on the wire and the sandboxes are dead before it returns", async () => {
    const bench = new Bench((_x, _ctx, powers) => powers.sleep(1e6).then(() => null));
    await bench.join();
    bench.say({ type: "lease", job, tasks: [leased(0)] });
    await bench.until(
      () => bench.client.status.slots[0]?.state === "running" && bench.sandboxes.alive.size > 0,
    );
    bench.client.stop();
    expect(bench.heard.at(-1)?.at(-1)).toEqual({ type: "goodbye" });
    expect(bench.closed).toBe("goodbye");
    expect(bench.sandboxes.alive.size).toBe(0);
    bench.handlers?.closed(1000, "");
    expect(bench.client.status).toMatchObject({ mode: "stopped", connection: { state: "stopped" } });
  });

  test("drain resolves after results of running tasks are delivered", async () => {
    const bench = new Bench((x, _ctx, powers) => powers.sleep(1000).then(() => x));
    await bench.join();
    bench.say({ type: "lease", job, tasks: [leased(0)] });
    await bench.until(() => bench.sandboxes.alive.size > 0);
    const drained: string[] = [];
    const draining = bench.client.drain().then(() => drained.push("yes"));
    await bench.until(() => bench.of("results").length > 0);
    expect(drained).toEqual([]);
    bench.say({ type: "accepted", job: job.id, indexes: [0] });
    await draining;
    expect(bench.of("goodbye")).toHaveLength(1);
  });

  test("a frame that makes no sense ends the connection, and the client tries again", async () => {
    const bench = new Bench();
    await bench.join();
    bench.handlers?.received(new Uint8Array([0xc1]));
    expect(bench.closed).toBe("MALFORMED_FRAME");
    expect(bench.client.status.connection.state).toBe("waiting");
    const before = bench.handlers;
    await bench.until(() => bench.handlers !== before);
    before?.received(new Uint8Array([0xc1]));
    expect(bench.client.status.connection.state).toBe("connecting");
  });

  test("an outbox of another version, or a damaged one, is no obstacle", async () => {
    const bench = new Bench();
    const result = {
      index: 3,
      attempt: 1,
      elapsedMs: 1,
      outcome: { state: "done", output: new Uint8Array([1]) },
    };
    bench.outboxContent = [
      null,
      7,
      { job: "x", result },
      { job: job.id, result: { index: 1 } },
      { job: job.id, result },
    ];
    await bench.join();
    expect(bench.of("results").map(({ results }) => results.map(({ index }) => index))).toEqual([[3]]);
  });

  test("a kernel that does not load fails its tasks with the loader's message", async () => {
    const bench = new Bench();
    const other = new TextEncoder().encode("unknown");
    const name = { sha256: sha256Hex(other), size: other.length };
    bench.blobs.set(name.sha256, other);
    await bench.join();
    bench.say({ type: "lease", job: { ...job, kernel: name }, tasks: [leased(0)] });
    await bench.until(() => bench.of("results").length > 0);
    expect(bench.of("results")[0]?.results[0]?.outcome).toMatchObject({
      failure: { kind: "refused", message: expect.stringContaining("default-exported") },
    });
  });

  test("[KERNEL-1] [DATA-1] kernel bytes that are not what their name says are never run", async () => {
    const bench = new Bench();
    bench.blobs.set(kernel.sha256, new TextEncoder().encode("lenrek"));
    await bench.join();
    bench.say({ type: "lease", job, tasks: [leased(0)] });
    await bench.until(() => bench.of("results").length > 0);
    expect(bench.of("results")[0]?.results[0]?.outcome).toMatchObject({ failure: { kind: "data" } });
  });

  test("[BITS-1] portable code that does not arrive is no fault of the kernel", async () => {
    const bench = new Bench();
    const { create } = bench.sandboxes;
    const asked: unknown[] = [];
    Object.assign(bench.sandboxes, {
      create: async (...parameters: Parameters<typeof create>) =>
        Object.assign(await create(...parameters), {
          load: async (...call: unknown[]) => {
            asked.push(call[2]);
            throw new PlatformError("UNREACHABLE", "portable.js could not be fetched: status 503.");
          },
        }),
    });
    await bench.join();
    bench.say({ type: "lease", job: { ...job, portable: true }, tasks: [leased(0)] });
    await bench.until(() => bench.of("results").length > 0);
    expect(asked).toEqual([true]);
    expect(bench.of("results")[0]?.results[0]?.outcome).toMatchObject({
      failure: { kind: "data", message: expect.stringContaining("status 503") },
    });
  });

  test("a sandbox that dies while the kernel loads is a crash, not a loading error", async () => {
    const bench = new Bench();
    const { create } = bench.sandboxes;
    Object.assign(bench.sandboxes, {
      create: async (...parameters: Parameters<typeof create>) => {
        const sandbox = await create(...parameters);
        const [dying] = bench.sandboxes.alive;
        return {
          ...sandbox,
          load: () => {
            dying?.end("out of memory", "memory");
            return Promise.reject(new Error("channel closed"));
          },
        };
      },
    });
    await bench.join();
    bench.say({ type: "lease", job, tasks: [leased(0)] });
    await bench.until(() => bench.of("results").length > 0);
    expect(bench.of("results")[0]?.results[0]?.outcome).toMatchObject({
      failure: { kind: "memory", message: "out of memory" },
    });
  });

  test("status is told when it changes", async () => {
    const bench = new Bench();
    await bench.join();
    const states = bench.statuses.map(({ connection }) => connection.state);
    expect(states.at(-1)).toBe("connected");
    expect(states).toContain("connecting");
    const count = bench.statuses.length;
    bench.say({ type: "heartbeat" });
    await settled();
    expect(bench.statuses).toHaveLength(count);
  });
});
