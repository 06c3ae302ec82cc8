/** Choices of the person, kept across visits where the browser keeps data. */
export interface Settings {
  readonly slots: number;
  readonly keepAwake: boolean;
}

const key = "manyhands.settings";
const inviteKey = "manyhands.invite";
const computingKey = "manyhands.computing";

/** Logical processors of this machine. */
export const cores = Math.max(1, Math.min(1024, navigator.hardwareConcurrency || 1));

/** Settings before the person chose; a core stays free for the person. */
const defaults: Settings = { slots: Math.max(1, cores - 1), keepAwake: false };

/** Reads the kept choices; missing and impossible values become the default. */
export function loadSettings(): Settings {
  const kept = recall(localStore, key);
  try {
    const { slots, keepAwake } = JSON.parse(kept ?? "{}") as Partial<Settings>;
    const possible = typeof slots === "number" && Number.isInteger(slots) && slots >= 1 && slots <= cores;
    return { slots: possible ? slots : defaults.slots, keepAwake: keepAwake === true };
  } catch {
    return defaults;
  }
}

export function saveSettings(settings: Settings): void {
  remember(localStore, key, JSON.stringify(settings));
}

/** Reads the options in the page's address. The invitation leaves the address bar, so that nobody passes it on unaware. */
export function takeAddress(): { autoStart: boolean; invite: string | undefined } {
  const { searchParams } = new URL(location.href);
  const autoStart = ["1", "true", "yes"].includes(searchParams.get("auto") ?? "");
  const invite = searchParams.get("invite");
  if (invite === null) return { autoStart, invite: recall(tabStore, inviteKey) };
  remember(tabStore, inviteKey, invite);
  searchParams.delete("invite");
  const rest = searchParams.size > 0 ? `?${searchParams}` : "";
  history.replaceState(history.state, "", `${location.pathname}${rest}${location.hash}`);
  return { autoStart, invite };
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

// The mere access throws where site data is blocked.
const localStore = (): Storage => localStorage;
const tabStore = (): Storage => sessionStorage;

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
