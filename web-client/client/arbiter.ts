import { arbiterChannel, type FromArbiter, type ToArbiter } from "./arbiter-messages.ts";

/**
 * The shared worker that elects the computing tab where the browser has no Web Locks (plain HTTP). Tabs queue up, and the first
 * computes. A tab says so when it closes; a crashed tab is found when another tab joins or pokes.
 */
const answerMs = 5_000;
const queue: MessagePort[] = [];
/** Tabs that computed before this arbiter started, and so have work to lose. */
const incumbents = new WeakSet<MessagePort>();
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
    // A tab that is frozen rather than dead learns this when it wakes, and queues up behind.
    say(first, "deposed");
    remove(first);
    queue.push(first);
  }, answerMs);
}

function join(port: MessagePort): void {
  queue.push(port);
  if (queue.length === 1) say(port, "elected");
  else lookAfterFirst();
}

function rejoin(port: MessagePort): void {
  const [first] = queue;
  if (first && incumbents.has(first)) {
    say(port, "deposed");
    return join(port);
  }
  incumbents.add(port);
  trust();
  say(first, "deposed");
  queue.unshift(port);
}

function heard(port: MessagePort, message: ToArbiter): void {
  if (message === "leave") return remove(port);
  if (message === "alive" && port === queue[0]) return trust();
  if (message === "join") return join(port);
  if (message === "rejoin") return rejoin(port);
  if (message !== "poke") return;
  say(port, "here");
  if (port !== queue[0]) lookAfterFirst();
}

addEventListener("connect", (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  port.addEventListener("message", ({ data }: MessageEvent<ToArbiter>) => heard(port, data));
  port.start();
});

// The browser may have ended an earlier arbiter with the tab that started it. The earlier arbiter's tabs are to join this arbiter.
new BroadcastChannel(arbiterChannel).postMessage("new");
