import { absoluteTime, CallError, clockId, eventType } from "../abi.ts";
import type { Process } from "../process.ts";

export function pollCalls({ memory, clock, descriptors }: Process) {
  return {
    /** Files and streams are always ready. A program that waits for clocks alone sleeps until the first of them. */
    poll_oneoff(subscriptions: number, events: number, count: number, result: number): void {
      if (count === 0) throw new CallError("inval");
      const asked = Array.from({ length: count >>> 0 }, (_, index) =>
        subscriptionAt(memory().view, (subscriptions >>> 0) + index * subscriptionBytes),
      );
      let ready = asked.filter(({ type }) => type !== eventType.clock);
      if (ready.length === 0) {
        const now: Record<number, bigint> = {
          [clockId.realtime]: clock.now(),
          [clockId.monotonic]: clock.elapsed(),
        };
        const waits = asked.map(({ clock: id, timeout, isAbsolute }) => {
          const since = now[id];
          if (since === undefined) throw new CallError("notsup");
          return isAbsolute ? timeout - since : timeout;
        });
        const shortest = waits.reduce((least, wait) => (wait < least ? wait : least));
        clock.sleep(shortest);
        ready = asked.filter((_, index) => waits[index]! <= (shortest > 0n ? shortest : 0n));
      }
      const { view } = memory();
      for (const [index, { userData, type, descriptor }] of ready.entries()) {
        const at = (events >>> 0) + index * eventBytes;
        memory().bytes(at, eventBytes).fill(0);
        view.setBigUint64(at, userData, true);
        view.setUint8(at + 10, type);
        if (type === eventType.clock) continue;
        try {
          const open =
            type === eventType.read ? descriptors.readable(descriptor) : descriptors.writable(descriptor);
          const left = open.kind === "file" ? Math.max(0, open.node.size - open.position) : 0;
          view.setBigUint64(at + 16, BigInt(type === eventType.read ? left : 1), true);
        } catch (error) {
          if (!(error instanceof CallError)) throw error;
          view.setUint16(at + 8, error.number, true);
        }
      }
      view.setUint32(result >>> 0, ready.length, true);
    },
  };
}

const subscriptionBytes = 48;
const eventBytes = 32;

function subscriptionAt(view: DataView, at: number) {
  return {
    userData: view.getBigUint64(at, true),
    type: view.getUint8(at + 8),
    descriptor: view.getUint32(at + 16, true),
    clock: view.getUint32(at + 16, true),
    timeout: view.getBigUint64(at + 24, true),
    isAbsolute: (view.getUint16(at + 40, true) & absoluteTime) !== 0,
  };
}
