let held: WakeLockSentinel | undefined;
let wanted = false;

/** The wake lock is declared as always there, but exists only in secure contexts of some browsers. */
const { wakeLock } = navigator as { wakeLock?: WakeLock };

export const canKeepAwake = wakeLock !== undefined;

/** Keeps this machine awake while it computes. The browser releases the lock whenever the page is hidden. */
export function keepAwake(on: boolean): void {
  wanted = on;
  void apply();
}

async function apply(): Promise<void> {
  if (!wanted) {
    await held?.release();
    held = undefined;
  } else if (wakeLock && document.visibilityState === "visible" && (!held || held.released)) {
    // The browser may refuse, for example on a low battery: the machine may then sleep.
    held = await wakeLock.request("screen").catch(() => undefined);
  }
}

document.addEventListener("visibilitychange", () => void apply());
