import type { Logger } from "pino";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { ServerDirectory } from "../server-directory.ts";
import type { ChangeKind, ProvisionalWindow } from "../store/store.ts";
import type { News as StoreNews, SharedStore } from "../store/shared-store.ts";
import type { ClientBans } from "./client-bans.ts";
import type { ClientRegistry } from "./client-registry.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { JobWatch } from "./job-watch.ts";
import type { Jobs } from "./jobs.ts";
import type { ProvisionalFollowers } from "./provisional-followers.ts";
import type { Told } from "./told.ts";

/** A job whose news come fast is read again at most this often. */
const rereadMs = 25;
/** Tasks that lack opinions are handed over this often. */
const handOverMs = 1_000;
/** A window's number is that of its server's epoch, times this, plus a count. */
const windowsOfEpoch = 2 ** 32;

interface Parts {
  readonly store: SharedStore;
  readonly dispatcher: Dispatcher;
  readonly jobs: Jobs;
  readonly watch: JobWatch;
  readonly bans: ClientBans;
  readonly registry: ClientRegistry;
  readonly directory: Pick<ServerDirectory, "others"> | undefined;
  readonly followers: ProvisionalFollowers;
  readonly log: Logger;
  /** Tokens were made or revoked. */
  readonly onTokens: () => Promise<void>;
}

/** The number of the first window of a server's epoch. */
export function firstWindowOf(epoch: number): number {
  return epoch * windowsOfEpoch + 1;
}

/** Brings changes of other servers, and the work that dead servers left, to this server (SPEC.md [SERVERS-6] and the following). */
export class OtherServers {
  readonly #parts: Parts;
  /** Kinds of changes that are to be read again, by job. */
  readonly #changed = new Map<JobId, Set<ChangeKind>>();
  readonly #reading = new Set<JobId>();
  #live: ReadonlySet<number> = new Set();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Begins to listen. */
  start(): void {
    const { store, dispatcher, directory, log } = this.#parts;
    setInterval(() => {
      if (directory?.others.some(({ capacity }) => capacity.clients > 0))
        dispatcher.feed({ type: "othersSeen" });
    }, handOverMs).unref();
    store.onNews((news) => this.take(news));
    store.onTold((message) => this.#told(message as Told));
    store.onFenced(() => {
      log.warn(
        "this server was silent for so long that the others took it for dead; it goes on as a new one",
      );
      dispatcher.feed({ type: "claimsLost", firstWindow: firstWindowOf(store.epoch) });
    });
    store.onServers((live) => {
      this.#live = live;
      this.#inBackground("take up what dead servers left", this.#adoptWindows());
    });
  }

  take({ jobs, kinds, active }: StoreNews): void {
    const { bans, onTokens } = this.#parts;
    for (const { id, kinds: changes } of [...jobs, ...this.#endedUnheard(active)]) {
      const known = this.#changed.get(id);
      if (known) for (const change of changes) known.add(change);
      else this.#changed.set(id, new Set(changes));
      if (!this.#reading.has(id)) this.#read(id);
    }
    if (kinds.includes("bans")) this.#inBackground("read bans", bans.enforce());
    if (kinds.includes("tokens")) this.#inBackground("read tokens", onTokens());
  }

  /**
   * Jobs that ended while this server did not listen, or a server took itself for the only one: those of the schedule, and those that readers
   * watch.
   */
  #endedUnheard(active: ReadonlySet<JobId> | undefined): StoreNews["jobs"] {
    if (!active) return [];
    const { dispatcher, watch } = this.#parts;
    const open = new Set([...dispatcher.scheduler.state.jobs.keys(), ...watch.unended()]);
    return [...open].filter((id) => !active.has(id)).map((id) => ({ id, kinds: ["state"] as const }));
  }

  /** Reads a job until nothing about it is new. */
  #read(id: JobId): void {
    const kinds = this.#changed.get(id);
    if (!kinds) return void this.#reading.delete(id);
    this.#changed.delete(id);
    this.#reading.add(id);
    if (kinds.has("provisional")) this.#parts.followers.miss(id);
    this.#parts.jobs.takeNews(id, kinds).then(
      () => void setTimeout(() => this.#read(id), rereadMs).unref(),
      (error: unknown) => {
        this.#parts.log.error({ err: error, job: id }, "could not read what another server changed");
        this.#changed.set(id, new Set([...kinds, ...(this.#changed.get(id) ?? [])]));
        setTimeout(() => this.#read(id), 1000).unref();
      },
    );
  }

  #told(message: Told): void {
    const { dispatcher, registry, bans } = this.#parts;
    switch (message.type) {
      case "moved":
        for (const client of message.clients) this.#moved(client);
        return;
      case "ended":
        if (dispatcher.scheduler.state.jobs.has(message.job))
          dispatcher.feed({ type: "tasksEnded", job: message.job, indexes: message.indexes });
        return;
      case "handedOver":
        if (dispatcher.scheduler.state.jobs.has(message.job))
          dispatcher.feed({ type: "tasksHandedOver", job: message.job, tasks: message.tasks });
        return;
      case "verdict":
        dispatcher.connections.send(message.client, message.verdict);
        return;
      case "ban":
        if (registry.has(message.client))
          this.#inBackground("ban a client", bans.banHere(message.client, message.reason));
        return;
      case "disconnect":
        if (registry.has(message.client)) bans.disconnectHere(message.client);
        return;
      case "reload":
        bans.reloadHere(message.client);
        return;
      case "drain":
        if (registry.has(message.client)) bans.drainHere(message.client, message.drained);
    }
  }

  #moved(client: ClientId): void {
    const { dispatcher } = this.#parts;
    if (!dispatcher.scheduler.client(client)) return;
    dispatcher.connections.get(client)?.bye("The same client connected to another server.", 1000);
    dispatcher.feed({ type: "clientMoved", client });
  }

  /** The eldest server judges the provisional results whose servers are gone. */
  async #adoptWindows(): Promise<void> {
    const { store, dispatcher } = this.#parts;
    if (!store.leads) return;
    const windows = (await store.listWindows()).filter((window) => this.#isLeft(window));
    if (windows.length > 0) dispatcher.feed({ type: "provisionalFound", windows });
  }

  #isLeft({ number, job }: ProvisionalWindow): boolean {
    if (this.#live.has(Math.floor(number / windowsOfEpoch))) return false;
    const known = this.#parts.dispatcher.scheduler.state.jobs.get(job);
    if (!known || known.windows.has(number)) return false;
    for (const opinions of known.opinions.values())
      if (opinions.some(({ window }) => window === number)) return false;
    return true;
  }

  #inBackground(what: string, work: Promise<void>): void {
    work.catch((error: unknown) => this.#parts.log.error({ err: error }, `could not ${what}`));
  }
}
