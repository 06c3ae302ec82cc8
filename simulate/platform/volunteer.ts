import { createHash } from "node:crypto";
import { createClient, type Client } from "../../shared/client/client.ts";
import type { ClientPorts, OutboxEntry } from "../../shared/client/ports.ts";
import { checkInvariants } from "../../shared/client/session/invariants.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import { decodeClientFrame, type LeaseKey } from "../../shared/wire/protocol.ts";
import { version } from "../../shared/version.ts";
import type { Host } from "./network.ts";
import type { VolunteerPlan } from "./plan.ts";
import { sandboxesOf } from "./sandboxes.ts";
import type { Surroundings } from "./surroundings.ts";
import { Process } from "./virtual-time.ts";

/** A machine that computes. Its outbox, cache and identity outlive its client, as on a disk. */
export class Volunteer implements Host {
  readonly name: string;
  readonly address: string;
  readonly plan: VolunteerPlan;
  cutUntil = 0;
  process: Process;
  client: Client | undefined;
  readonly outbox = new Map<string, OutboxEntry>();
  readonly #world: Surroundings;
  readonly #cache = new Map<Sha256, Uint8Array>();
  #identity: Identity | undefined;
  #lives = 0;

  constructor(world: Surroundings, plan: VolunteerPlan) {
    this.#world = world;
    this.plan = plan;
    this.name = plan.name;
    this.address = plan.address;
    this.process = new Process(this.name);
    this.process.isAlive = false;
  }

  /** Starts the client, after a moment. */
  boot(delayMs: number): void {
    if (this.process.isAlive) return;
    const process = new Process(`${this.name}.${++this.#lives}`);
    this.process = process;
    this.#world.time.schedule(process, delayMs, "client starts", () => this.#start(process));
  }

  /** Ends the client as `kill -9`, a closed tab or a power cut does. */
  kill(isTold: boolean): void {
    this.process.isAlive = false;
    this.client = undefined;
    this.#world.clientGone(this.process, isTold);
  }

  /** Whether the client has delivered all it has. A client that the server refused for good keeps its results. */
  get isIdle(): boolean {
    const status = this.client?.status;
    if (!status) return false;
    return status.connection.state === "refused" || (this.outbox.size === 0 && status.unsent === 0);
  }

  #start(process: Process): void {
    const { kind, slots, token } = this.plan;
    const description = {
      identity: this.#identity,
      kind,
      name: this.name,
      ...(token !== undefined && { token }),
      memoryMb: 1024,
      webgpu: false,
      version,
    };
    const client = createClient(this.#ports(process), description, {
      slots,
      checkpointIntervalMs: 200,
      onEvent: (event, state) => {
        if (event.type === "messageReceived" && event.message.type === "accepted")
          this.#world.ledger.resultsAccepted(this.name, event.message.job, event.message.indexes);
        checkInvariants(state);
      },
    });
    this.client = client;
    client.start();
  }

  #ports(process: Process): ClientPorts {
    const { time, random, ledger } = this.#world;
    const onDisk = (what: string, write: () => void): Promise<void> =>
      new Promise((resolve) => {
        time.schedule(process, 0.1 + 3 * random(), what, () => {
          write();
          resolve();
        });
      });
    return {
      clock: {
        now: () => time.read(),
        setTimer: (ms, callback) => {
          const step = time.schedule(process, ms, "client timer", callback);
          return () => {
            step.run = undefined;
          };
        },
      },
      random,
      transport: {
        connect: (handlers) => {
          const { connection } = this.#world.connect(this, process, handlers);
          return {
            ...connection,
            send: (frame) => {
              for (const message of decodeClientFrame(frame))
                if (message.type === "results") ledger.resultsSent(this.name, message);
              connection.send(frame);
            },
          };
        },
      },
      blobs: {
        fetch: async ({ sha256 }, _range, ticket) => {
          const bytes = await this.#fetch(`api/blobs/${sha256}`, ticket);
          if (hashOf(bytes) !== sha256) throw new PlatformError("HASH_MISMATCH", "other bytes");
          return bytes;
        },
        chunks: () => Promise.reject(new PlatformError("NOT_FOUND", "no chunks in this world")),
        hash: async (bytes) => hashOf(bytes),
        upload: () => Promise.reject(new PlatformError("TOO_LARGE", "no blobs in this world")),
      },
      cache: {
        get: async (sha256) => this.#cache.get(sha256)?.slice(),
        put: (sha256, bytes) => onDisk("cache", () => this.#cache.set(sha256, bytes.slice())),
        list: async () => [...this.#cache.keys()].toReversed(),
        onChange: () => {},
      },
      outbox: {
        load: async () => [...this.outbox.values()],
        save: (entries) =>
          onDisk("outbox", () => {
            for (const entry of entries) this.outbox.set(nameOf({ job: entry.job, ...entry.result }), entry);
          }),
        remove: (keys) =>
          onDisk("outbox", () => {
            for (const key of keys) this.outbox.delete(nameOf(key));
          }),
      },
      sandboxes: sandboxesOf({
        time,
        random,
        process,
        conduct: this.plan,
        rates: () => this.#world.sandboxRates,
        mayDie: () => this.#world.mayKillSandbox(),
      }),
      keepIdentity: (identity) => {
        this.#identity = identity;
      },
      log: (level, message) => time.trace.note(`${this.name} ${level}: ${message}`),
    };
  }

  async #fetch(path: string, ticket: string): Promise<Uint8Array> {
    const headers = { authorization: `Bearer ${ticket}` };
    let reply: Uint8Array;
    let status: number;
    try {
      const response = await this.#world.request(
        this,
        { method: "GET", path, headers, body: undefined },
        { silenceMs: 15_000 },
      );
      ({ status } = response);
      reply = new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      throw new PlatformError("UNREACHABLE", "no answer", error);
    }
    if (status !== 200) throw PlatformError.fromReply(status, Buffer.from(reply).toString());
    return reply;
  }
}

function hashOf(bytes: Uint8Array): Sha256 {
  return createHash("sha256").update(bytes).digest("hex") as Sha256;
}

function nameOf({ job, index, attempt }: LeaseKey): string {
  return `${job}/${index}/${attempt}`;
}
