import type { Logger } from "pino";
import type { BlobName } from "../../shared/data-reference.ts";
import type { ClientId } from "../../shared/ids.ts";
import type { ClientMessage, LeaseKey, TaskResult } from "../../shared/protocol.ts";
import type { Joining, SessionServices } from "../sockets/client-gate.ts";
import type { SchedulerEvent } from "../scheduler/events.ts";
import type { ClientRegistry } from "./client-registry.ts";
import type { ClientConnection } from "./connections.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { JobWatch } from "./job-watch.ts";
import type { KnownBlobs } from "./known-blobs.ts";

type Message = Parameters<SessionServices["onMessage"]>[1];
type Results = Extract<ClientMessage, { type: "results" }>;

/** Turns what clients say into events for the scheduler. */
export class ClientMessages {
  readonly #dispatcher: Dispatcher;
  readonly #registry: ClientRegistry;
  readonly #blobs: KnownBlobs;
  readonly #watch: JobWatch;
  readonly #log: Logger;

  constructor(
    dispatcher: Dispatcher,
    registry: ClientRegistry,
    blobs: KnownBlobs,
    watch: JobWatch,
    log: Logger,
  ) {
    this.#dispatcher = dispatcher;
    this.#registry = registry;
    this.#blobs = blobs;
    this.#watch = watch;
    this.#log = log;
  }

  readonly onJoin = (joining: Joining): LeaseKey[] => {
    const { hello, connection, trusted } = joining;
    const replaced = this.#dispatcher.connections.add(hello.client, connection);
    replaced?.bye("The same client connected anew.", 1000);
    this.#registry.join(joining);
    const { client: id, kind, memoryMb, webgpu, slots, held, cached } = hello;
    const client = { id, kind, memoryMb, webgpu, trusted, slots };
    return this.#dispatcher.feed({ type: "clientConnected", client, held, cached });
  };

  readonly onMessage = (client: ClientId, message: Message): void => {
    this.#registry.seen(client, message.type === "want" ? message.slots : undefined);
    if (message.type === "results") return this.#receiveResults(client, message);
    if (message.type === "log") {
      this.#watch.log(message.job, message.index, this.#registry.name(client), message.lines);
      return;
    }
    for (const event of toEvents(client, message)) this.#dispatcher.feed(event);
    if (message.type === "goodbye") this.#registry.left(client);
  };

  readonly onClose = (client: ClientId, connection: ClientConnection): void => {
    if (!this.#dispatcher.connections.remove(client, connection)) return;
    this.#registry.left(client);
    this.#dispatcher.feed({ type: "clientVanished", client });
  };

  #receiveResults(client: ClientId, { job, results }: Results): void {
    const named = results.filter(namesBlobs);
    if (named.length === 0) {
      this.#dispatcher.feed({ type: "resultsReceived", client, job, results });
      return;
    }
    this.#withBlobs(results).then(
      (checked) => this.#dispatcher.feed({ type: "resultsReceived", client, job, results: checked }),
      (error: unknown) =>
        this.#log.error({ err: error, job }, "could not check the blobs of results; the client keeps them"),
    );
  }

  /** A result that names a blob which is not here would lose the task: it counts as a failed attempt. */
  async #withBlobs(results: readonly TaskResult[]): Promise<TaskResult[]> {
    const checked: TaskResult[] = [];
    for (const result of results) {
      const missing = namesBlobs(result) ? await this.#blobs.firstMissing(blobsOf(result)) : undefined;
      const message =
        missing && `The output names the blob ${missing.sha256}, which the client did not upload.`;
      checked.push(
        message ? { ...result, outcome: { state: "failed", failure: { kind: "data", message } } } : result,
      );
    }
    return checked;
  }
}

function blobsOf({ outcome }: TaskResult): BlobName[] {
  if (outcome.state === "failed") return [];
  return [...(outcome.refs ?? []), ...(outcome.output instanceof Uint8Array ? [] : [outcome.output])];
}
function namesBlobs(result: TaskResult): boolean {
  return blobsOf(result).length > 0;
}

function toEvents(
  client: ClientId,
  message: Exclude<Message, { type: "results" | "log" }>,
): SchedulerEvent[] {
  switch (message.type) {
    case "want":
      return [{ type: "clientWanted", client, tasks: message.tasks, slots: message.slots }];
    case "progress":
      return message.progress.map(({ fraction, ...lease }) => ({
        type: "progressReceived",
        client,
        lease,
        fraction,
      }));
    case "checkpoint": {
      const { job, index, attempt, state } = message;
      return [{ type: "checkpointReceived", client, lease: { job, index, attempt }, state }];
    }
    case "release":
      return [{ type: "leasesReleased", client, leases: message.leases }];
    case "cached":
      return [{ type: "cacheChanged", client, added: message.added, removed: message.removed }];
    case "goodbye":
      return [{ type: "clientLeft", client }];
  }
}
