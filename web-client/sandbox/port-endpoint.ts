import type { Endpoint } from "comlink";

type Listener = (event: { data: unknown }) => void;

/**
 * The worker's end of the port as a comlink endpoint whose methods were taken before any kernel ran: a kernel that replaces
 * `MessagePort.prototype.postMessage` or the `data` getter of events sees neither port nor traffic. Messages that a kernel gets through
 * by other tricks meet the page's guarded port.
 */
export function portEndpoint(port: MessagePort): Endpoint {
  const post = port.postMessage.bind(port) as (message: unknown, transfer?: Transferable[]) => void;
  const accessor = Object.getOwnPropertyDescriptor(MessageEvent.prototype, "data") as { get: () => unknown };
  const dataOf = Function.prototype.call.bind(accessor.get) as (event: MessageEvent) => unknown;
  const listeners: Listener[] = [];
  port.addEventListener("message", (event) => {
    const data = dataOf(event);
    // The loop counts, because a kernel may replace the array iterator.
    for (let i = 0; i < listeners.length; i++) listeners[i]?.({ data });
  });
  port.start();
  return {
    postMessage: (message: unknown, transfer?: Transferable[]) => post(message, transfer ?? []),
    addEventListener: (_type: string, listener: unknown) => void listeners.push(listener as Listener),
    // Proxies are never released: the worker ends instead.
    removeEventListener: () => undefined,
  };
}
