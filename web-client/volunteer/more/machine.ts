import type { Machine } from "./gate.ts";

interface Battery extends EventTarget {
  readonly charging: boolean;
}
interface IdleState extends EventTarget {
  readonly userState: "active" | "idle" | null;
  readonly screenState: "locked" | "unlocked" | null;
  start(options: { threshold: number }): Promise<void>;
}
/** Parts of the platform that few browsers have, and none on plain HTTP. */
const platform = globalThis as {
  IdleDetector?: { new (): IdleState; requestPermission(): Promise<"granted" | "denied"> };
};
const { getBattery } = navigator as { getBattery?: () => Promise<Battery> };

/** Least time that the Idle Detection API takes. */
const idleMs = 60_000;

export const tellsMains = getBattery !== undefined;
export const tellsIdle = platform.IdleDetector !== undefined;

/** Watches power and use of the machine, as far as the browser tells. */
export class MachineWatch {
  readonly #changed: () => void;
  #battery: Battery | undefined;
  #idle: IdleState | undefined;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get machine(): Machine {
    const { userState, screenState } = this.#idle ?? {};
    return {
      onBattery: this.#battery && !this.#battery.charging,
      inUse: this.#idle && userState === "active" && screenState !== "locked",
    };
  }

  async watchMains(): Promise<void> {
    if (this.#battery || !getBattery) return;
    this.#battery = await getBattery.call(navigator).catch(() => undefined);
    this.#battery?.addEventListener("chargingchange", this.#changed);
    this.#changed();
  }

  /**
   * @param mayAsk - a person has just pressed something, so that the browser may ask for the permission
   * @returns whether the browser tells
   */
  async watchIdle(mayAsk: boolean): Promise<boolean> {
    const { IdleDetector } = platform;
    if (this.#idle || !IdleDetector) return this.#idle !== undefined;
    try {
      if (mayAsk && (await IdleDetector.requestPermission()) !== "granted") return false;
      const detector = new IdleDetector();
      await detector.start({ threshold: idleMs });
      detector.addEventListener("change", this.#changed);
      this.#idle = detector;
      this.#changed();
      return true;
    } catch {
      return false;
    }
  }
}
