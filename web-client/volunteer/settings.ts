import { forever } from "./forever.ts";

/** Choices of the person, kept across visits where the browser keeps data. */
export interface Settings {
  readonly slots: number;
  /** Share of each lent core's time, in percent. */
  readonly cpu: number;
  readonly keepAwake: boolean;
  /** Nothing computes before this time (as of `Date.now`); 0 unless the person paused. */
  readonly pausedUntil: number;
  /** The page computes only at certain times; checked by the code that loads after the first task. */
  readonly rules?: unknown;
  /** Name and team that the person wants to be shown under. */
  readonly name?: string | undefined;
  readonly team?: string | undefined;
}

export const settingsKey = "manyhands.settings";
const inviteKey = "manyhands.invite";
const coresKey = "manyhands.cores";
const computingKey = "manyhands.computing";

// The mere access throws where site data is blocked.
const localStore = (): Storage => localStorage;
const tabStore = (): Storage => sessionStorage;

const claimedCores = Math.max(1, Math.min(1024, navigator.hardwareConcurrency || 1));
export const leastCpu = 20;

/**
 * Logical processors of this machine, as the browser tells. WebKit tells numbers that are none of the machine (4 on one with 2): they are
 * measured before the first task, and until then half of them are taken for true.
 */
export let cores = claimedCores;
let isKnown = !navigator.vendor.startsWith("Apple");
if (!isKnown) {
  const measured = Number(recall(localStore, coresKey));
  isKnown = measured >= 1;
  cores = Math.max(1, Math.min(cores, Math.floor(isKnown ? measured : cores / 2)));
}

/** One core stays free for the person. */
export const usualSlots = (): number => Math.max(1, cores - 1);

/** Measures the cores where the browser's number is not to be believed. */
export async function knowCores(): Promise<void> {
  if (isKnown) return;
  isKnown = true;
  const { measureCores } = await import("./cores/measure-cores.ts");
  cores = await measureCores(claimedCores);
  remember(localStore, coresKey, `${cores}`);
}

/** The choices that this browser keeps. */
export const loadSettings = (): Settings => readSettings(recall(localStore, settingsKey));

/** Reads choices as they are kept; missing and impossible values become the default. */
export function readSettings(text: string | null | undefined): Settings {
  let kept: Partial<Settings> = {};
  try {
    kept = Object(JSON.parse(text ?? "{}")) as Partial<Settings>;
  } catch {
    // What is no JSON counts as nothing.
  }
  const whole = (value: unknown, min: number, max: number, otherwise: number): number =>
    Number.isInteger(value) && Number(value) >= min && Number(value) <= max ? Number(value) : otherwise;
  return {
    ...kept,
    slots: whole(kept.slots, 1, cores, usualSlots()),
    cpu: whole(kept.cpu, leastCpu, 100, 100),
    keepAwake: kept.keepAwake === true,
    pausedUntil: whole(kept.pausedUntil, 0, forever, 0),
  };
}

export function saveSettings(settings: Settings): void {
  remember(localStore, settingsKey, JSON.stringify(settings));
}

/** Whether the person has chosen when this page computes. */
export function isRestricted({ pausedUntil, rules }: Settings): boolean {
  return pausedUntil > Date.now() || rules !== undefined;
}

/** The options in the page's address. */
export interface AddressOptions {
  readonly autoStart: boolean;
  readonly invite: string | undefined;
  readonly kiosk: boolean;
  /** Choices of whoever made the address; they hold for this page alone, and are not kept. */
  readonly chosen: Partial<Settings>;
}

/** Reads the options in the page's address. The invitation leaves the address bar, so that nobody passes it on unaware. */
export function takeAddress(): AddressOptions {
  const { searchParams } = new URL(location.href);
  const isOn = (name: string): boolean => ["1", "true", "yes"].includes(searchParams.get(name) ?? "");
  const slots = searchParams.get("slots");
  const name = searchParams.get("name");
  return {
    autoStart: isOn("auto"),
    kiosk: isOn("kiosk"),
    chosen: {
      ...(slots && {
        slots: slots === "all" ? cores : Math.max(1, Math.min(cores, Math.floor(Number(slots)) || 1)),
      }),
      ...(name && { name }),
    },
    invite: takeInvite(searchParams),
  };
}

function takeInvite(searchParams: URLSearchParams): string | undefined {
  const invite = searchParams.get("invite");
  if (invite === null) return recall(tabStore, inviteKey);
  remember(tabStore, inviteKey, invite);
  searchParams.delete("invite");
  const rest = searchParams.size > 0 ? `?${searchParams}` : "";
  history.replaceState(history.state, "", `${location.pathname}${rest}${location.hash}`);
  return invite;
}

/** Notes whether this tab computes, for its reload; called when the page is left. */
export function noteComputing(isOn: boolean): void {
  remember(tabStore, computingKey, isOn ? "1" : "");
}

/** Whether this tab computed before a reload or a way back in its history. A newly opened page never computes by itself. */
export function wasComputing(): boolean {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return navigation?.type !== "navigate" && recall(tabStore, computingKey) === "1";
}

function recall(store: () => Storage, name: string): string | undefined {
  try {
    return store().getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(store: () => Storage, name: string, value: string): void {
  try {
    store().setItem(name, value);
  } catch {
    // The value is not kept beyond this page.
  }
}
