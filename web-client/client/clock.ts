import type { Clock } from "../../shared/client/ports.ts";

/**
 * The page's clock. A timer of 0 ms goes through a MessageChannel: browsers delay `setTimeout` of a hidden tab to once a second or a
 * minute, which no task may wait for.
 */
export function createClock(): Clock {
  const due: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener("message", () => due.shift()?.());
  port1.start();
  return {
    now: () => performance.now(),
    setTimer(ms, callback) {
      let cancelled = false;
      const fire = (): void => {
        if (!cancelled) callback();
      };
      if (ms <= 0) {
        due.push(fire);
        port2.postMessage(0);
        return () => void (cancelled = true);
      }
      const timer = setTimeout(fire, ms);
      return () => clearTimeout(timer);
    },
  };
}
