import { workerSource } from "virtual:worker-source";
import type { FromFrame, Greeting, ToFrame } from "./frame-messages.ts";

/**
 * The sandbox page: opaque origin, no network, no storage. It only starts and ends workers; a kernel's code never runs in
 * it, and what workers and page say to each other does not pass through it.
 */
const workers = new Map<number, Worker>();

/** In a function, so that a kernel in the worker cannot name the common code, and strict, as the modules it was made from. */
function workerUrlWith(commonCode: string): string {
  const parts = [`(()=>{"use strict";const commonCode=(${commonCode})();`, workerSource, "})()"];
  // A classic worker: a module worker from a blob URL does not start under an opaque origin (tried on Chromium 156).
  return URL.createObjectURL(new Blob(parts, { type: "text/javascript" }));
}

function spawn(workerUrl: string, id: number, port: MessagePort, tell: (message: FromFrame) => void): void {
  const worker = new Worker(workerUrl);
  workers.set(id, worker);
  worker.addEventListener("error", (event) => {
    tell({ type: "died", id, reason: event.message || "The worker could not start." });
  });
  worker.postMessage(undefined, [port]);
}

function listen(control: MessagePort, { commonCode }: Greeting): void {
  const workerUrl = workerUrlWith(commonCode);
  const tell = (message: FromFrame): void => control.postMessage(message);
  control.addEventListener("message", (event: MessageEvent<ToFrame>) => {
    const message = event.data;
    if (message.type === "ping") tell({ type: "pong", count: message.count });
    else if (message.type === "terminate") {
      workers.get(message.id)?.terminate();
      workers.delete(message.id);
    } else if (event.ports[0]) spawn(workerUrl, message.id, event.ports[0], tell);
  });
  control.start();
  tell({ type: "ready" });
}

addEventListener("message", function first(event: MessageEvent<Greeting>) {
  const control = event.ports[0];
  if (event.source !== parent || !control) return;
  removeEventListener("message", first);
  listen(control, event.data);
});
