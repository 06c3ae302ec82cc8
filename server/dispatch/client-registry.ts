import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import type { ClientId } from "../../shared/ids.ts";
import type { Capacity } from "../../shared/wire/rest/capacity.ts";
import type { ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { Scheduler } from "../scheduler/scheduler.ts";
import type { Joining } from "../sockets/client-gate.ts";
import { TaskTimes } from "./capacity.ts";

/** A client as people see it. */
interface ClientRecord {
  readonly id: ClientId;
  name: string;
  kind: "browser" | "node";
  trusted: boolean;
  address: string;
  ticket: string;
  /** The token of its hello. */
  tokenId: string | undefined;
  webgpu: boolean;
  memoryMb: number;
  commands: string[];
  slots: number;
  connected: boolean;
  connectedAt: number;
  lastSeenAt: number;
  /** Time at which the connection ended, on the monotonic clock. */
  leftAt: number;
  done: number;
  failed: number;
  /** Attempts that ended without a result although they ran. */
  lost: number;
  /** Results that verify those of others. */
  checked: number;
  /** Smoothed run time of its tasks. */
  taskMs: number | undefined;
  version: string;
  drained: boolean;
}

/** Weight of the newest run time in the smoothed one. */
const newestWeight = 0.1;

/** Most disconnected clients that are remembered; the oldest are forgotten first. */
const goneClients = 500;

/** Clients that are or were connected: for the status page, and for the tickets that blob transfers carry. */
export class ClientRegistry {
  readonly #records = new Map<ClientId, ClientRecord>();
  readonly #tickets = new Map<string, ClientId>();
  readonly #scheduler: Scheduler;
  readonly #graceMs: number;
  readonly #times = new TaskTimes();

  constructor(scheduler: Scheduler, graceMs: number) {
    this.#scheduler = scheduler;
    this.#graceMs = graceMs;
  }

  join({ hello, identity, address, ticket, trusted, tokenId }: Joining): void {
    const id = identity.client;
    const old = this.#records.get(id);
    if (old) this.#tickets.delete(old.ticket);
    // The old record is deleted first: the map is in order of the last connection.
    this.#records.delete(id);
    const now = Date.now();
    const { name, kind, webgpu, memoryMb, slots, version } = hello;
    const commands = trusted ? (hello.commands ?? []) : [];
    const record = { id, name, kind, trusted, address, ticket, tokenId, webgpu, memoryMb, slots, version };
    const { done = 0, failed = 0, lost = 0, checked = 0, drained = false, taskMs } = old ?? {};
    this.#records.set(id, {
      ...record,
      commands,
      connected: true,
      connectedAt: now,
      lastSeenAt: now,
      leftAt: 0,
      done,
      failed,
      lost,
      checked,
      drained,
      taskMs,
    });
    this.#tickets.set(ticket, id);
    this.#forgetOldest();
  }

  /** @param wanted - what the client says of itself */
  seen(id: ClientId, wanted?: { readonly slots: number; readonly webgpu?: boolean | undefined }): void {
    const record = this.#records.get(id);
    if (!record) return;
    record.lastSeenAt = Date.now();
    if (wanted) record.slots = wanted.slots;
    if (wanted?.webgpu !== undefined) record.webgpu = wanted.webgpu;
  }

  left(id: ClientId): void {
    const record = this.#records.get(id);
    if (!record) return;
    record.connected = false;
    record.lastSeenAt = Date.now();
    record.leftAt = performance.now();
  }

  /** Refuses the client's blob transfers from now on. */
  revokeTicket(id: ClientId): void {
    const record = this.#records.get(id);
    if (record) this.#tickets.delete(record.ticket);
  }

  /** Refuses the blob transfers of every client that came with a token, connected or not. */
  revokeTicketsOf(tokenId: string): void {
    for (const record of this.#records.values())
      if (record.tokenId === tokenId) this.#tickets.delete(record.ticket);
  }

  count(id: ClientId, state: "done" | "failed" | "lost" | "checked", tasks = 1): void {
    const record = this.#records.get(id);
    if (record) record[state] += tasks;
  }

  /** @throws PlatformError NOT_FOUND */
  require(id: string): { id: ClientId; address: string } {
    const record = this.#records.get(id as ClientId);
    if (!record)
      throw new PlatformError("NOT_FOUND", `No client ${id} is or was connected.`, undefined, hints.client);
    return record;
  }

  /** Whether the administrator drains the client. */
  isDrained(id: ClientId): boolean {
    return this.#records.get(id)?.drained === true;
  }

  /** @throws PlatformError NOT_FOUND */
  setDrained(id: string, drained: boolean): void {
    this.require(id);
    this.#records.get(id as ClientId)!.drained = drained;
  }

  has(id: string): boolean {
    return this.#records.has(id as ClientId);
  }

  isConnected(id: string): boolean {
    return this.#records.get(id as ClientId)?.connected === true;
  }

  connected(): Iterable<{ readonly id: ClientId; readonly address: string }> {
    return [...this.#records.values()].filter(({ connected }) => connected);
  }

  name(id: ClientId): string {
    return this.#records.get(id)?.name ?? id;
  }

  /** The client of a ticket, while the client is connected or within its grace time. */
  ofTicket(ticket: string): { id: ClientId; trusted: boolean } | undefined {
    const id = this.#tickets.get(ticket);
    const record = id && this.#records.get(id);
    if (!record || record.ticket !== ticket) return undefined;
    if (!record.connected && performance.now() - record.leftAt > this.#graceMs) return undefined;
    return { id: record.id, trusted: record.trusted };
  }

  /** Connected clients first, newest first. */
  list(): ClientInfo[] {
    const infos = [...this.#records.values()].toReversed().map((record) => this.#info(record));
    return [...infos.filter(({ connected }) => connected), ...infos.filter(({ connected }) => !connected)];
  }

  /** Notes the times that a client took for tasks. */
  computed(id: ClientId, elapsedMs: readonly number[]): void {
    const record = this.#records.get(id);
    if (!record) return;
    const now = performance.now();
    for (const ms of elapsedMs) {
      this.#times.add(record.kind, ms, now);
      record.taskMs = record.taskMs === undefined ? ms : record.taskMs + newestWeight * (ms - record.taskMs);
    }
  }

  /** @param rate - measured tasks a second */
  capacity(rate: number): Capacity {
    return this.#times.capacity(this.#slots(), rate);
  }

  #slots() {
    const sums = { browser: { clients: 0, slots: 0, busy: 0 }, node: { clients: 0, slots: 0, busy: 0 } };
    for (const record of this.#records.values()) {
      if (!record.connected) continue;
      const sum = sums[record.kind];
      sum.clients += 1;
      sum.slots += record.slots;
      sum.busy += Math.min(record.slots, this.#scheduler.client(record.id)?.leases.size ?? 0);
    }
    return sums;
  }

  #info(record: ClientRecord): ClientInfo {
    const { ticket: _ticket, tokenId: _tokenId, leftAt: _leftAt, taskMs = null, ...shown } = record;
    const client = this.#scheduler.client(record.id);
    const current = [...(client?.leases ?? [])].slice(0, Math.min(8, record.slots));
    return {
      ...shown,
      taskMs,
      cachedBlobs: client?.cached.size ?? 0,
      leases: client?.leases.size ?? 0,
      current: current.map(({ task, progress }) => ({ job: task.job.id, index: task.index, progress })),
      cacheHitRatio: client && client.refsLeased > 0 ? client.refsCached / client.refsLeased : null,
    };
  }

  #forgetOldest(): void {
    let surplus = this.#records.size - this.#scheduler.state.clients.size - goneClients;
    for (const [id, record] of this.#records) {
      if (surplus <= 0) return;
      if (record.connected) continue;
      this.#records.delete(id);
      this.#tickets.delete(record.ticket);
      surplus -= 1;
    }
  }
}
