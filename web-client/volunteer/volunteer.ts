import type { Client, ClientOptions } from "../../shared/client/client.ts";
import type { ClientStatus } from "../../shared/client/status.ts";
import { openBrowserClient } from "../client/browser-client.ts";
import { joinElection } from "../client/election.ts";
import type { Phase, RecentWork } from "./phase.ts";
import { isRestricted, knowCores, noteComputing, usualSlots, type Settings } from "./settings.ts";
import { keepAwake } from "./wake-lock.ts";
import { messageOf } from "../../shared/errors.ts";

/** After this long in the election the page says that another tab computes. */
const electionMs = 400;
/** The page renders at most this often: where the processor draws, a rendering takes some 3 ms from the kernels. */
const renderMs = 1000;

/** The page's client, one at a time, from the press of the button to its stop. */
export class Volunteer {
  /** Called with every change of {@link phase}. */
  onPhase: ((phase: Phase) => void) | undefined;
  /** Called when the machine turns out to have other cores than the browser said. */
  onSlots: ((slots: number) => void) | undefined;
  /** Called with every event of the client. */
  onEvent: ClientOptions["onEvent"];
  #phase: Phase = { state: "ready" };
  readonly #token: string | undefined;
  #settings: Settings;
  #client: Client | undefined;
  #leave: (() => void) | undefined;
  /** Counts starts and stops, so that an asynchronous step notices a later one. */
  #era = 0;
  #resumeOnShow = false;
  #held = false;

  constructor(settings: Settings, token: string | undefined) {
    this.#settings = settings;
    this.#token = token;
    addEventListener("pagehide", () => this.#hide());
    addEventListener("pageshow", ({ persisted }) => {
      if (persisted && this.#resumeOnShow) this.start();
    });
  }

  get phase(): Phase {
    return this.#phase;
  }

  start(): void {
    this.#end();
    const era = ++this.#era;
    this.#become({ state: "starting" });
    const waiting = setTimeout(() => {
      if (era === this.#era && !this.#client) this.#become({ state: "otherTab" });
    }, electionMs);
    this.#leave = joinElection({
      elected: (exclusive) => {
        clearTimeout(waiting);
        if (era === this.#era) void this.#compute(era, exclusive);
      },
      deposed: () => {
        if (era !== this.#era) return;
        this.#client?.stop();
        this.#client = undefined;
        this.#become({ state: "otherTab" });
      },
    });
  }

  /** Whether nothing is computed for now; the client stays connected, and takes no tasks. */
  hold(isHeld: boolean): void {
    this.#held = isHeld;
    if (isHeld) this.#client?.pause();
    else this.#client?.resume();
  }

  /** Applies the person's choices. */
  choose(settings: Settings): void {
    this.#settings = settings;
    this.#client?.setSlots(settings.slots);
    this.#client?.setShare(settings.cpu / 100);
    keepAwake(settings.keepAwake && this.#client !== undefined);
  }

  /** Tells the server the present name and team. */
  rejoin(): void {
    this.#client?.networkChanged();
  }

  /** Finishes and delivers the running tasks, then stops; false when it was stopped before. */
  async finish(): Promise<boolean> {
    const era = this.#era;
    await this.#client?.drain();
    const isDone = era === this.#era;
    if (isDone) this.stop();
    return isDone;
  }

  /** Stops at once; the goodbye leaves before this returns. */
  stop(): void {
    const done = this.#client?.status.done ?? 0;
    this.#end();
    this.#become({ state: "stopped", done });
  }

  async #compute(era: number, exclusive: boolean): Promise<void> {
    this.#become({ state: "starting" });
    try {
      const show = this.#painter(era);
      const guessed = usualSlots();
      await knowCores().catch(() => undefined);
      if (this.#settings.slots === guessed && guessed !== usualSlots()) this.onSlots?.(usualSlots());
      const client = await openBrowserClient({
        slots: this.#settings.slots,
        token: this.#token,
        called: () => [this.#settings.name, this.#settings.team],
        exclusive,
        onEvent: (event, state) => this.onEvent?.(event, state),
        onStatus: show,
      });
      if (era !== this.#era) return;
      this.#client = client;
      this.choose(this.#settings);
      client.start();
      // The code that knows for how long loads later.
      if (this.#held || isRestricted(this.#settings)) this.hold(true);
      show(client.status);
    } catch (error) {
      if (era !== this.#era) return;
      this.#end();
      this.#become({ state: "broken", message: messageOf(error) });
    }
  }

  /** Returns a function that takes every status, and shows the newest once a second. */
  #painter(era: number): (status: ClientStatus) => void {
    let recent: RecentWork = { customers: [], at: -Infinity };
    let newest: ClientStatus | undefined;
    let waiting = false;
    let paintedAt = -renderMs;
    const paint = (): void => {
      waiting = false;
      paintedAt = performance.now();
      if (era === this.#era && newest && this.#client)
        this.#become({ state: "running", status: newest, recent });
    };
    return (status) => {
      newest = status;
      const customers = customersOf(status);
      if (customers.length > 0) recent = { customers, at: performance.now() };
      if (waiting) return;
      waiting = true;
      setTimeout(paint, paintedAt + renderMs - performance.now());
    };
  }

  #become(phase: Phase): void {
    this.#phase = phase;
    this.onPhase?.(phase);
  }

  #hide(): void {
    this.#resumeOnShow = this.#leave !== undefined;
    const mode = this.#client?.status.mode;
    noteComputing(this.#resumeOnShow && mode !== "draining");
    if (this.#resumeOnShow) this.#end();
  }

  #end(): void {
    this.#era++;
    this.#client?.stop();
    this.#client = undefined;
    keepAwake(false);
    this.#leave?.();
    this.#leave = undefined;
  }
}

function customersOf(status: ClientStatus): string[] {
  const names = status.slots.flatMap((slot) => (slot.state === "running" ? [slot.job.customer] : []));
  return [...new Set(names)].sort();
}
