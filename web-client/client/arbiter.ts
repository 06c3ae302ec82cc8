import type { FromArbiter, ToArbiter } from "./arbiter-messages.ts";

/**
 * The shared worker that elects the computing tab where the browser has no Web Locks (plain HTTP). Tabs queue up; the first
 * computes. A tab that closes says so; one that crashed is found out when another tab joins or pokes.
 */
const answerMs = 5_000;
const queue: MessagePort[] = [];
let doubt: ReturnType<typeof setTimeout> | undefined;

const say = (port: MessagePort | undefined, message: FromArbiter): void => port?.postMessage(message);

function remove(port: MessagePort): void {
  const place = queue.indexOf(port);
  if (place < 0) return;
  queue.splice(place, 1);
  if (place > 0) return;
  trust();
  say(queue[0], "elected");
}

function trust(): void {
  clearTimeout(doubt);
  doubt = undefined;
}

function lookAfterFirst(): void {
  const [first] = queue;
  if (!first || queue.length < 2 || doubt !== undefined) return;
  say(first, "alive?");
  doubt = setTimeout(() => {
    // Should it be frozen rather than dead, it learns what happened when it wakes, and queues up behind.
    say(first, "deposed");
    remove(first);
    queue.push(first);
  }, answerMs);
}

function heard(port: MessagePort, message: ToArbiter): void {
  if (message === "leave") remove(port);
  else if (message === "alive" && port === queue[0]) trust();
  else if (message === "poke") lookAfterFirst();
  else if (message === "join" && !queue.includes(port)) {
    queue.push(port);
    if (queue.length === 1) say(port, "elected");
    else lookAfterFirst();
  }
}

addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  port.addEventListener("message", ({ data }: MessageEvent<ToArbiter>) => heard(port, data));
  port.start();
});
