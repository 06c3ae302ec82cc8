import { availableParallelism } from "node:os";
import type { Client } from "../../shared/client/client.ts";
import type { ClientPorts } from "../../shared/client/ports.ts";
import type { ClientStatus } from "../../shared/client/status.ts";
import { defaultIdleRules, isInUse, OwnLoad, type Sighting } from "./idle.ts";
import { GoneWatch } from "./server-gone.ts";

interface PresenceOptions {
  /** Compute only while nobody else uses the machine. */
  readonly idleOnly: boolean;
  /** Time at which the client drains. */
  readonly until: Date | undefined;
  /** The client gives up a server after this long without a listener at its address. */
  readonly goneMs: number | undefined;
}

interface Parts {
  readonly client: Pick<Client, "pause" | "resume" | "status">;
  readonly log: ClientPorts["log"];
  /** Looks at the machine. */
  readonly lookAround: () => Promise<Sighting>;
  /** The time of `until` has come. */
  onUntil(): void;
  onGone(): void;
}

/** A person who comes back has the machine alone within this time. */
const lookEveryMs = 5_000;
const tickMs = 1_000;

/** Decides when a client computes on a machine that it shares. */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #parts: Parts;
  readonly #gone: GoneWatch | undefined;
  readonly #ownLoad = new OwnLoad(performance.now());
  readonly #timers: NodeJS.Timeout[] = [];
  #looking: Promise<void> | undefined;
  #paused = false;
  #over = false;

  constructor(options: PresenceOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    const { goneMs } = options;
    this.#gone = goneMs === undefined ? undefined : new GoneWatch(goneMs, performance.now());
    if (options.until || this.#gone) this.#timers.push(setInterval(() => this.#tick(), tickMs));
  }

  /** Called after the client's start. With `idleOnly` the client computes only once the machine was found idle. */
  begin(): void {
    if (!this.#options.idleOnly) return;
    this.#parts.client.pause();
    this.#paused = true;
    void this.look();
    this.#timers.push(setInterval(() => void this.look(), lookEveryMs));
  }

  statusChanged(status: ClientStatus): void {
    this.#gone?.statusChanged(status, performance.now());
  }

  end(): void {
    this.#over = true;
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Looks at the machine, and pauses or resumes the client; repeated every few seconds. */
  look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const sighting = await this.#parts.lookAround();
    if (this.#over) return;
    const { client, log } = this.#parts;
    const running = client.status.slots.filter(({ state }) => state === "running").length;
    const ownLoad = this.#ownLoad.update(running, performance.now());
    const rules = { ...defaultIdleRules, cores: availableParallelism() };
    const { inUse, reason } = isInUse(sighting, ownLoad, this.#paused, rules);
    if (inUse === this.#paused) return;
    this.#paused = inUse;
    if (inUse) client.pause();
    else client.resume();
    log("info", `${inUse ? "Pausing" : "Going on"}: ${reason}.`);
  }

  #tick(): void {
    // The wall clock decides, because a timer of hours would be late by the time that the machine slept.
    if (this.#options.until && Date.now() >= this.#options.until.getTime()) this.#parts.onUntil();
    if (this.#gone?.isGone(performance.now())) this.#parts.onGone();
  }
}
