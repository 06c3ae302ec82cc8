let held: WakeLockSentinel | undefined;
let wanted = false;

/** Declared as always there; exists in secure contexts of some browsers. */
const { wakeLock } = navigator as { wakeLock?: WakeLock };

export const canKeepAwake = wakeLock !== undefined;

/** Keeps this machine from going to sleep while it computes. The browser lets go whenever the page is hidden. */
export function keepAwake(on: boolean): void {
  wanted = on;
  void apply();
}

async function apply(): Promise<void> {
  if (!wanted) {
    await held?.release();
    held = undefined;
  } else if (wakeLock && document.visibilityState === "visible" && (!held || held.released)) {
    // Refused on low battery, for example: then the machine may sleep.
    held = await wakeLock.request("screen").catch(() => undefined);
  }
}

document.addEventListener("visibilitychange", () => void apply());
