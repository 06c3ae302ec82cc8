import type { Logger } from "pino";
import { checkValue } from "../../shared/wire/codec.ts";
import type { BlobName } from "../../shared/data-reference.ts";
import { PlatformError } from "../../shared/errors.ts";
import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import type { ClientMessage, LeaseKey, TaskResult } from "../../shared/wire/protocol.ts";
import type { Joining, ConnectionServices } from "../sockets/client-gate.ts";
import type { AttemptRing } from "./attempts/attempt-ring.ts";
import type { ClientRegistry } from "./client-registry.ts";
import type { ClientConnection } from "../sockets/connection.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { JobWatch } from "./job-watch.ts";
import type { KnownBlobs } from "./known-blobs.ts";
import type { Precaches } from "./precaches.ts";
import type { RunHistory } from "./run-history.ts";
import type { SchedulerEvent } from "../scheduler/events.ts";
import type { Lease, Task } from "../scheduler/state.ts";
import { boundedMs } from "../scheduler/usual-time.ts";

type Message = Parameters<ConnectionServices["onMessage"]>[1];
type Results = Extract<ClientMessage, { type: "results" }>;

/** Turns the messages of clients into events for the scheduler. */
export class ClientMessages {
  readonly #dispatcher: Dispatcher;
  readonly #registry: ClientRegistry;
  readonly #blobs: KnownBlobs;
  readonly #watch: JobWatch;
  readonly #precaches: Precaches;
  readonly #history: RunHistory;
  readonly #attempts: AttemptRing;
  readonly #log: Logger;
  /** Times from leases to results beyond the run times, of tasks that did not wait in their client's queue. */
  readonly latencies = { count: 0, sumMs: 0 };
  /** Called with a client that joined with leases from elsewhere. */
  onMoved: ((client: ClientId) => void) | undefined;
  /** Clients with a result whose blobs are being looked up; settles when this message and all behind it are handled. */
  readonly #checking = new Map<ClientId, Promise<void>>();

  constructor(
    dispatcher: Dispatcher,
    registry: ClientRegistry,
    blobs: KnownBlobs,
    watch: JobWatch,
    precaches: Precaches,
    history: RunHistory,
    attempts: AttemptRing,
    log: Logger,
  ) {
    this.#dispatcher = dispatcher;
    this.#registry = registry;
    this.#blobs = blobs;
    this.#watch = watch;
    this.#precaches = precaches;
    this.#history = history;
    this.#attempts = attempts;
    this.#log = log;
  }

  readonly onJoin = (joining: Joining): LeaseKey[] => {
    const { hello, identity, connection, trusted, cohort, auditor } = joining;
    const id = identity.client;
    const replaced = this.#dispatcher.connections.add(id, connection);
    replaced?.bye("The same client connected anew.", 1000);
    this.#registry.join(joining);
    const { kind, memoryMb, webgpu, slots, trusts, commands, held, cached } = hello;
    const client = {
      id,
      kind,
      memoryMb,
      webgpu,
      trusted,
      cohort,
      slots,
      trusts,
      // Commands that a stranger announces count for nothing (SPEC.md [COMMAND-2]).
      ...(trusted && commands && { commands }),
      ...(auditor && { auditor }),
      ...(connection.paced && { paced: true }),
    };
    if (held.length > 0 && !this.#dispatcher.scheduler.client(id)) this.onMoved?.(id);
    const dropped = this.#dispatcher.feed({ type: "clientConnected", client, held, cached });
    if (this.#registry.isDrained(id))
      this.#dispatcher.feed({ type: "clientDrained", client: id, drained: true });
    this.#precaches.joined(client, joining.hello.name);
    return dropped;
  };

  readonly onMessage = (client: ClientId, message: Message): void => {
    this.#registry.seen(client, message.type === "want" ? message : undefined);
    const before = this.#checking.get(client);
    if (before)
      this.#inOrder(
        client,
        before.then(() => this.#handle(client, message)),
      );
    else {
      const checking = this.#handle(client, message);
      if (checking) this.#inOrder(client, checking);
    }
  };

  readonly onRead = (client: ClientId, bytes: number): void => {
    this.#dispatcher.feed({ type: "clientRead", client, bytes });
  };

  readonly onClose = (client: ClientId, connection: ClientConnection, how: "broken" | "refused"): void => {
    if (!this.#dispatcher.connections.remove(client, connection))
      return this.#log.debug({ client, how }, "Ignored a connection that another one replaced closed");
    this.#registry.left(client);
    this.#precaches.left(client);
    if (how === "refused") this.#registry.revokeTicket(client);
    this.#dispatcher.feed({ type: how === "refused" ? "clientLeft" : "clientVanished", client });
  };

  /** Messages of one client take effect in their order, also while the blobs of a result are looked up. */
  #inOrder(client: ClientId, done: Promise<void>): void {
    const settled = done
      .catch((error: unknown) =>
        this.#log.error({ err: error, client }, "a client's message failed; it keeps its results"),
      )
      .finally(() => {
        if (this.#checking.get(client) === settled) this.#checking.delete(client);
      });
    this.#checking.set(client, settled);
  }

  #handle(client: ClientId, message: Message): Promise<void> | undefined {
    if (message.type === "results") return this.#receiveResults(client, message);
    if (message.type === "log") {
      // Only the holder of a lease may log: the job's customer reads the log.
      const { job, index, lines } = message;
      if (this.#holds(client, job, index)) this.#watch.log(job, index, this.#registry.name(client), lines);
      else this.#log.debug({ client, job, index }, "Ignored log lines without a lease");
      return undefined;
    }
    if (message.type === "precached") {
      if (!this.#precaches.reported(client, message))
        this.#log.debug({ client, precache: message.id }, "Ignored a report on no standing precache");
      return undefined;
    }
    if (message.type === "checkpoint") return this.#receiveCheckpoint(client, message);
    for (const event of toEvents(client, message)) this.#dispatcher.feed(event);
    if (message.type === "goodbye") {
      this.#registry.left(client);
      this.#precaches.left(client);
    }
    return undefined;
  }

  #receiveCheckpoint(
    client: ClientId,
    { job, index, attempt, state }: Extract<ClientMessage, { type: "checkpoint" }>,
  ): Promise<void> | undefined {
    if (!isValue(state)) return undefined;
    const lease = { job, index, attempt };
    this.#dispatcher.feed({ type: "checkpointReceived", client, lease, state });
    const customer = this.#dispatcher.scheduler.state.jobs.get(job)?.info.customer;
    if (customer === undefined || !this.#holds(client, job, index)) return undefined;
    return this.#blobs
      .keepOfCheckpoint(client, customer, state)
      .catch((error: unknown) =>
        this.#log.debug({ err: error, client, job }, "data of a checkpoint is not kept"),
      );
  }

  #holds(client: ClientId, job: JobId, index: TaskIndex): boolean {
    const task = this.#dispatcher.scheduler.state.jobs.get(job)?.tasks.get(index);
    return leaseOf(task, client) !== undefined;
  }

  /**
   * Notes task times for the expected throughput and the costs, and attempts for the task stream and the pages of tasks: of leased tasks only,
   * within the bounds of the server's clock.
   */
  #noteResults(client: ClientId, { job: id, results }: Results): void {
    const { scheduler } = this.#dispatcher;
    const job = scheduler.state.jobs.get(id);
    if (!job) return;
    const now = performance.now();
    const done: number[] = [];
    const times = new Float64Array(results.length).fill(NaN);
    const attempts = this.#attempts;
    const slots = scheduler.client(client)?.slots ?? 1;
    attempts.begin(client, this.#registry, slots, job.info.descriptor, now);
    for (let at = results.length - 1; at >= 0; at--) {
      const { index, outcome, elapsedMs } = results[at]!;
      const lease = leaseOf(job.tasks.get(index), client);
      if (!lease) continue;
      const ms = boundedMs(elapsedMs, now - lease.leasedAt, lease.rounds);
      times[at] = ms;
      if (outcome.state === "done") done.push(ms);
      if (lease.rounds === 0) {
        this.latencies.count += 1;
        this.latencies.sumMs += now - lease.leasedAt - ms;
      }
      const verifies = isCheck(lease.task);
      if (verifies) this.#registry.count(client, "checked");
      attempts.ended(index, ms, outcome.state, verifies);
    }
    attempts.end();
    this.#registry.computed(client, done);
    this.#history.add(id, client, this.#registry.name(client), results, times);
  }

  #receiveResults(client: ClientId, message: Results): Promise<void> | undefined {
    this.#noteResults(client, message);
    const { job } = message;
    const results = message.results.some(isUnreadable) ? message.results.map(readable) : message.results;
    if (!results.some(namesBlobs)) {
      this.#dispatcher.feed({ type: "resultsReceived", client, job, results });
      return undefined;
    }
    const customer = this.#dispatcher.scheduler.state.jobs.get(job)?.info.customer;
    return this.#withBlobs(results, client, customer).then((checked) => {
      this.#dispatcher.feed({ type: "resultsReceived", client, job, results: checked });
    });
  }

  /** A result that names a missing blob would lose its task: such a result counts as a failed attempt. */
  async #withBlobs(
    results: readonly TaskResult[],
    client: ClientId,
    customer: string | undefined,
  ): Promise<readonly TaskResult[]> {
    // The job has ended, and takes no more results.
    if (customer === undefined) return results;
    const checked: TaskResult[] = [];
    for (const result of results) {
      const missing = namesBlobs(result)
        ? await this.#blobs.firstMissing(blobsOf(result), client, customer)
        : undefined;
      const message =
        missing && `The output names the blob ${missing.sha256}, which the client did not upload.`;
      checked.push(
        message ? { ...result, outcome: { state: "failed", failure: { kind: "data", message } } } : result,
      );
    }
    return checked;
  }
}

/** Whether an attempt of the task verifies results of others. */
export function isCheck({ audit, opinions }: Task): boolean {
  return audit !== undefined || (opinions?.length ?? 0) > 0;
}

function leaseOf(task: Task | undefined, client: ClientId): Lease | undefined {
  return task?.leases.find((lease) => lease.client === client);
}

function blobsOf({ outcome }: TaskResult): BlobName[] {
  if (outcome.state === "failed") return [];
  return [...(outcome.refs ?? []), ...(outcome.output instanceof Uint8Array ? [] : [outcome.output])];
}

/** Runs for every result, and so without the two arrays of {@link blobsOf}. */
function namesBlobs({ outcome }: TaskResult): boolean {
  if (outcome.state === "failed") return false;
  return !(outcome.output instanceof Uint8Array) || (outcome.refs?.length ?? 0) > 0;
}

/** Reason why the bytes of an output are no value; undefined for a value, and for an output in a blob. */
function unreadable({ outcome }: TaskResult): string | undefined {
  if (outcome.state === "failed" || !(outcome.output instanceof Uint8Array)) return undefined;
  try {
    checkValue(outcome.output);
    return undefined;
  } catch (error) {
    return PlatformError.from(error).message;
  }
}

function isValue(bytes: Uint8Array): boolean {
  try {
    checkValue(bytes);
    return true;
  } catch {
    return false;
  }
}

function isUnreadable(result: TaskResult): boolean {
  return unreadable(result) !== undefined;
}

/** An output that no customer could read is a failed attempt: another client may have a better one. */
function readable(result: TaskResult): TaskResult {
  const reason = unreadable(result);
  if (reason === undefined) return result;
  const message = `The client sent an output that cannot be read. ${reason}`;
  return { ...result, outcome: { state: "failed", failure: { kind: "data", message } } };
}

function toEvents(
  client: ClientId,
  message: Exclude<Message, { type: "results" | "log" | "precached" | "checkpoint" }>,
): SchedulerEvent[] {
  switch (message.type) {
    case "want":
      return [
        {
          type: "clientWanted",
          client,
          tasks: message.tasks,
          slots: message.slots,
          ...(message.webgpu !== undefined && { webgpu: message.webgpu }),
        },
      ];
    case "progress":
      return message.progress.map(({ fraction, ...lease }) => ({
        type: "progressReceived",
        client,
        lease,
        fraction,
      }));
    case "release":
      return [{ type: "leasesReleased", client, leases: message.leases }];
    case "cached":
      return [{ type: "cacheChanged", client, added: message.added, removed: message.removed }];
    case "goodbye":
      return [{ type: "clientLeft", client }];
  }
}
