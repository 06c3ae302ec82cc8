import type { Clock } from "../../shared/client/ports.ts";

/**
 * The page's clock. A timer of no time goes through a MessageChannel, because browsers hold `setTimeout` of a hidden tab
 * back to once a second or a minute, and nothing on the path of a task may wait for that.
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
