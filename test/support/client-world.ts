import type { Identity } from "../../shared/wire/identity.ts";
import { createHash } from "node:crypto";
import { encodeValue, type Value } from "../../shared/wire/codec.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { Kernel } from "../../shared/wire/kernel.ts";
import type { LeaseKey } from "../../shared/wire/protocol.ts";
import { createClient, type Client } from "../../shared/client/client.ts";
import type {
  BlobCache,
  BlobTransfer,
  ClientPorts,
  Outbox,
  OutboxEntry,
  Sandbox,
  SandboxFactory,
  TransportHandlers,
} from "../../shared/client/ports.ts";
import { createKernelRunner } from "../../shared/client/sandbox/runner.ts";
import { checkInvariants } from "../../shared/client/session/invariants.ts";
import type { ModelServer } from "./client-model-server.ts";
import type { VirtualClock } from "./client-virtual-clock.ts";
import { chunkDigests, hash } from "./chunks.ts";

/** Blobs of the server, over a network that is slow and sometimes fails. */
export class ModelBlobs implements BlobTransfer {
  readonly blobs = new Map<Sha256, Uint8Array>();
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  /** Share of transfers that fail; a retry may succeed. */
  failures = 0;
  fetches = 0;

  constructor(clock: VirtualClock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  add(bytes: Uint8Array): BlobName {
    const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
    this.blobs.set(sha256, bytes);
    return { sha256, size: bytes.length };
  }

  addValue(value: Value): BlobName {
    return this.add(encodeValue(value));
  }

  async fetch({ sha256 }: BlobName, range: readonly [number, number] | undefined): Promise<Uint8Array> {
    this.fetches++;
    await this.#travel();
    const bytes = this.blobs.get(sha256);
    if (!bytes) throw new PlatformError("NOT_FOUND", `no blob ${sha256}`);
    return range ? bytes.slice(...range) : bytes.slice();
  }

  async chunks({ sha256 }: BlobName): Promise<Uint8Array> {
    await this.#travel();
    return chunkDigests(this.blobs.get(sha256) ?? new Uint8Array());
  }

  hash(bytes: Uint8Array): Promise<Sha256> {
    return hash(bytes);
  }

  async upload(bytes: Uint8Array): Promise<BlobName> {
    await this.#travel();
    return this.add(bytes);
  }

  async #travel(): Promise<void> {
    await this.#clock.sleep(this.#random() * 30);
    if (this.#random() < this.failures) throw new PlatformError("UNREACHABLE", "the network is down");
  }
}

/** The outbox and the cache of a machine, which outlive its client. */
class Disk implements Outbox, BlobCache {
  readonly entries = new Map<string, OutboxEntry>();
  readonly #blobs = new Map<Sha256, Uint8Array>();

  async load(): Promise<OutboxEntry[]> {
    return [...this.entries.values()];
  }
  async save(entries: readonly OutboxEntry[]): Promise<void> {
    for (const entry of entries) this.entries.set(nameOf({ job: entry.job, ...entry.result }), entry);
  }
  async remove(keys: readonly LeaseKey[]): Promise<void> {
    for (const key of keys) this.entries.delete(nameOf(key));
  }
  async get(sha256: Sha256): Promise<Uint8Array | undefined> {
    return this.#blobs.get(sha256)?.slice();
  }
  async put(sha256: Sha256, bytes: Uint8Array): Promise<void> {
    this.#blobs.set(sha256, bytes.slice());
  }
  async list(): Promise<Sha256[]> {
    return [...this.#blobs.keys()].reverse();
  }
  onChange(): void {}
}

function nameOf({ job, index, attempt }: LeaseKey): string {
  return `${job}/${index}/${attempt}`;
}

/** Abilities of the kernels of these tests that other kernels have not. */
export interface Powers {
  sleep(ms: number): Promise<void>;
  /** The sandbox dies under the kernel. */
  die(kind: "crash" | "memory"): Promise<never>;
}

export type PowerfulKernel = (
  input: Value,
  ctx: Parameters<Kernel>[1],
  powers: Powers,
) => Value | Promise<Value>;

/** Sandboxes in this realm: the real runner, on virtual time, that can die at any moment. */
export class ModelSandboxes implements SandboxFactory {
  readonly alive = new Set<{ end(reason: string | undefined, kind: "crash" | "memory"): void }>();
  readonly #clock: VirtualClock;
  readonly #kernels: ReadonlyMap<string, PowerfulKernel>;
  readonly #random: () => number;
  /** Share of sandboxes that cannot be made. */
  failures = 0;

  constructor(clock: VirtualClock, random: () => number, kernels: ReadonlyMap<string, PowerfulKernel>) {
    this.#clock = clock;
    this.#random = random;
    this.#kernels = kernels;
  }

  readonly create: SandboxFactory["create"] = async (host) => {
    await this.#clock.sleep(20);
    if (this.#random() < this.failures) throw new Error("no memory for a sandbox");
    const death = Promise.withResolvers<{ reason: string | undefined; kind: "crash" | "memory" }>();
    let dead = false;
    const handle = {
      end: (reason: string | undefined, kind: "crash" | "memory") => {
        dead = true;
        this.alive.delete(handle);
        death.resolve({ reason, kind });
      },
    };
    this.alive.add(handle);
    const powers: Powers = {
      sleep: (ms) => this.#clock.sleep(ms),
      die: (kind) => {
        handle.end(`the sandbox died (${kind})`, kind);
        return new Promise<never>(() => undefined);
      },
    };
    const runner = createKernelRunner({
      now: () => this.#clock.now(),
      timers: { begin: () => undefined, end: () => undefined },
      importModule: async (source) => {
        const kernel = this.#kernels.get(new TextDecoder().decode(source));
        return kernel
          ? { default: (input: Value, ctx: Parameters<Kernel>[1]) => kernel(input, ctx, powers) }
          : {};
      },
      host: {
        data: (name, range) => host.data(name, range),
        put: (bytes) => host.put(bytes),
        // A report takes time to arrive, and is lost when its sandbox dies meanwhile.
        report: (report) => this.#clock.setTimer(1, () => !dead && host.report(report)),
      },
    });
    const orDeath = <T>(call: Promise<T>): Promise<T> =>
      Promise.race([call, death.promise.then(() => Promise.reject(new Error("the sandbox is dead")))]);
    const sandbox: Sandbox = {
      load: (sha256, source) => orDeath(runner.load(sha256, source)),
      run: async (bundle) => {
        const rest = await orDeath(runner.run(bundle));
        // The answer takes the same way as the reports, after them.
        await orDeath(this.#clock.sleep(1));
        if (rest) host.report(rest);
      },
      terminate: () => handle.end(undefined, "crash"),
      ended: death.promise,
    };
    return sandbox;
  };
}

/** A machine: a real client on in-memory ports, that can be killed and started again on the same disk. */
export class Machine {
  readonly disk = new Disk();
  readonly sandboxes: ModelSandboxes;
  client: Client;
  readonly log: string[] = [];
  #identity: Identity | undefined;
  #power = { on: true };
  #hangUp = () => {};
  readonly #parts: {
    clock: VirtualClock;
    random: () => number;
    server: ModelServer;
    blobs: ModelBlobs;
    slots: number;
  };

  constructor(parts: {
    clock: VirtualClock;
    random: () => number;
    server: ModelServer;
    blobs: ModelBlobs;
    kernels: ReadonlyMap<string, PowerfulKernel>;
    slots: number;
  }) {
    this.#parts = parts;
    this.sandboxes = new ModelSandboxes(parts.clock, parts.random, parts.kernels);
    this.client = this.#boot();
  }

  #boot(): Client {
    const { clock, random, server, blobs, slots } = this.#parts;
    const power = (this.#power = { on: true });
    const transport = server.transport(() => random() * 30);
    const ports: ClientPorts = {
      clock: {
        now: () => clock.now(),
        setTimer: (ms, callback) => clock.setTimer(ms, () => power.on && callback()),
      },
      random,
      transport: {
        connect: (handlers, to) => {
          const heard: TransportHandlers = {
            opened: () => power.on && handlers.opened(),
            received: (frame) => power.on && handlers.received(frame),
            heard: () => power.on && handlers.heard(),
            closed: (code, reason) => power.on && handlers.closed(code, reason),
          };
          const connection = transport.connect(heard, to);
          this.#hangUp = () => connection.close(1006, "");
          return { ...connection, send: (frame) => power.on && connection.send(frame) };
        },
      },
      blobs,
      cache: this.disk,
      outbox: {
        load: () => this.disk.load(),
        save: async (entries) => (power.on ? this.disk.save(entries) : undefined),
        remove: async (keys) => (power.on ? this.disk.remove(keys) : undefined),
      },
      sandboxes: this.sandboxes,
      keepIdentity: (identity) => void (power.on && (this.#identity = identity)),
      log: (level, message) => void this.log.push(`${clock.now()} ${level} ${message}`),
    };
    const description = {
      identity: this.#identity,
      kind: "node" as const,
      name: "model",
      memoryMb: 1024,
      webgpu: false,
      version: "0.1.0",
    };
    const client = createClient(ports, description, {
      slots,
      checkpointIntervalMs: 500,
      onEvent: (_, state) => checkInvariants(state),
    });
    client.start();
    return client;
  }

  /** Cuts the power: the client sends and saves nothing any more, and the connection breaks. */
  kill(): void {
    this.#power.on = false;
    this.#hangUp();
    for (const sandbox of this.sandboxes.alive) sandbox.end(undefined, "crash");
  }

  boot(): void {
    this.client = this.#boot();
  }
}
