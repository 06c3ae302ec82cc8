import { workerSource } from "virtual:worker-source";
import { ownMath } from "../../shared/client/sandbox/own-math.ts";
import type { FromFrame, Greeting, ToFrame } from "./frame-messages.ts";

/**
 * The sandbox page: opaque origin, no network, no storage. The page only starts and ends workers. Kernels never run in it, and messages
 * between workers and volunteer page do not pass through it.
 */
const workers = new Map<number, Worker>();

/**
 * The worker's script is a function, so that a kernel cannot name the common code, and strict, as the modules it was made from. The worker
 * is a classic one: Chromium starts no module worker from a blob URL under an opaque origin.
 * @param webgpu - an expression
 */
function scriptWith(commonCode: string, webgpu = "null"): string {
  return `(()=>{"use strict";${ownMath};const commonCode=(${commonCode})(),webgpu=${webgpu};${workerSource}})()`;
}

function spawn(
  workerUrl: string,
  { id, memoryMb }: Extract<ToFrame, { type: "spawn" }>,
  port: MessagePort,
  tell: (message: FromFrame) => void,
): void {
  const worker = new Worker(workerUrl);
  workers.set(id, worker);
  worker.addEventListener("error", (event) => {
    tell({ type: "died", id, reason: event.message || "The worker could not start." });
  });
  worker.postMessage(memoryMb, [port]);
}

function listen(control: MessagePort, { commonCode }: Greeting): void {
  const script = new Blob([scriptWith(commonCode)], { type: "text/javascript" });
  const workerUrl = URL.createObjectURL(script);
  // A worker of an opaque origin is a secure context, and so has WebGPU, when its address is a data: URL and not a blob's.
  const urlFor = ({ webgpu }: Extract<ToFrame, { type: "spawn" }>): string =>
    webgpu
      ? "data:text/javascript;charset=utf-8," + encodeURIComponent(scriptWith(commonCode, webgpu))
      : workerUrl;
  const tell = (message: FromFrame): void => control.postMessage(message);
  control.addEventListener("message", (event: MessageEvent<ToFrame>) => {
    const message = event.data;
    if (message.type === "ping") tell({ type: "pong", count: message.count });
    else if (message.type === "terminate") {
      workers.get(message.id)?.terminate();
      workers.delete(message.id);
    } else if (event.ports[0]) spawn(urlFor(message), message, event.ports[0], tell);
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
