import type { ClientId, JobId, TaskIndex } from "../../shared/ids.ts";
import type { Verdict } from "../../shared/wire/protocol.ts";
import type { Logger } from "pino";
import type { HandedOver } from "../scheduler/events.ts";
import type { SharedStore } from "../store/shared-store.ts";

/** A message between servers. An older server ignores types that it does not know. */
export type Told =
  /** Clients joined the sender, and told of leases. */
  | { readonly type: "moved"; readonly clients: readonly ClientId[] }
  /** Tasks ended that the sender had not claimed. */
  | { readonly type: "ended"; readonly job: JobId; readonly indexes: readonly TaskIndex[] }
  /** Tasks that the sender gave back, because its clients cannot give the opinions that they lack. */
  | { readonly type: "handedOver"; readonly job: JobId; readonly tasks: readonly HandedOver[] }
  /** Results of a client that is not at the sender were accepted or withdrawn. */
  | { readonly type: "verdict"; readonly client: ClientId; readonly verdict: Verdict }
  /** An administrator bans, disconnects or asks to reload a client that is not at the sender. */
  | { readonly type: "ban"; readonly client: string; readonly reason: string }
  | { readonly type: "disconnect"; readonly client: string }
  | { readonly type: "reload"; readonly client: ClientId }
  /** An administrator drains a client that is not at the sender, or takes that back. */
  | { readonly type: "drain"; readonly client: string; readonly drained: boolean };

/** Messages wait this long for others of their kind. */
const gatherMs = 20;
/** So many identifiers, or indexes of tasks, fit into a message. */
const mostClients = 200;
const mostIndexes = 800;
const mostOpinions = 50;

/** Gathers news for the other servers. A lost message costs time, and no result. */
export class Teller {
  readonly #store: SharedStore;
  readonly #log: Logger;
  #moved = new Set<ClientId>();
  #ended = new Map<JobId, TaskIndex[]>();
  #timer: NodeJS.Timeout | undefined;

  constructor(store: SharedStore, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  moved(client: ClientId): void {
    this.#moved.add(client);
    this.#gather();
  }

  ended(job: JobId, indexes: readonly TaskIndex[]): void {
    const known = this.#ended.get(job);
    if (known) for (const index of indexes) known.push(index);
    else this.#ended.set(job, [...indexes]);
    this.#gather();
  }

  verdict(client: ClientId, verdict: Verdict): void {
    const { indexes } = verdict;
    for (let at = 0; at < indexes.length; at += mostIndexes)
      this.send({
        type: "verdict",
        client,
        verdict: { ...verdict, indexes: indexes.slice(at, at + mostIndexes) },
      });
  }

  handedOver(job: JobId, tasks: readonly HandedOver[]): void {
    let some: HandedOver[] = [];
    let opinions = 0;
    for (const task of tasks) {
      if (opinions > 0 && opinions + task.opinions.length > mostOpinions) {
        this.send({ type: "handedOver", job, tasks: some });
        [some, opinions] = [[], 0];
      }
      some.push(task);
      opinions += task.opinions.length;
    }
    this.send({ type: "handedOver", job, tasks: some });
  }

  #gather(): void {
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#tell(), gatherMs);
  }

  #tell(): void {
    this.#timer = undefined;
    const [moved, ended] = [[...this.#moved], this.#ended];
    this.#moved = new Set();
    this.#ended = new Map();
    for (let at = 0; at < moved.length; at += mostClients)
      this.send({ type: "moved", clients: moved.slice(at, at + mostClients) });
    for (const [job, indexes] of ended)
      for (let at = 0; at < indexes.length; at += mostIndexes)
        this.send({ type: "ended", job, indexes: indexes.slice(at, at + mostIndexes) });
  }

  send(message: Told): void {
    this.#store
      .tell(message)
      .catch((error: unknown) => this.#log.debug({ err: error }, "could not tell the other servers"));
  }
}
