import { limits } from "../../limits.ts";
import type { SessionState } from "./state.ts";

/**
 * Checks the rules that hold for a session after every event. Only for tests: the check walks the whole state.
 * @throws Error naming the rule that is broken
 */
export function checkInvariants(state: Readonly<SessionState>): void {
  checkTasks(state);
  checkSlots(state);
  checkOutbox(state);
  checkModes(state);
}

function hold(condition: boolean, rule: string): void {
  if (!condition) throw new Error(`Session invariant broken: ${rule}`);
}

function checkTasks(state: Readonly<SessionState>): void {
  let queuedTasks = 0;
  let held = 0;
  for (const job of state.jobs.values()) {
    const waiting = job.queue.list();
    hold(new Set(waiting).size === waiting.length, "a task waits once");
    hold(job.tasks.size > 0 || job.queue.length === 0, "a job without tasks is remembered without them");
    for (const task of waiting) hold(job.tasks.get(task.task.index) === task, "what waits is held");
    for (const [index, task] of job.tasks) {
      held++;
      hold(task.task.index === index && task.job === job, "a task is filed under its own index");
      if (task.place.state === "queued") {
        queuedTasks++;
        hold(waiting.includes(task), "a queued task is in its job's queue");
      } else {
        hold(task.place.state === "bundled", "a held task is queued or in a slot");
        if (task.place.state !== "bundled") continue;
        hold(task.place.remaining.get(index) === task, "a bundled task is in its bundle");
        hold(task.place.slot.work === task.place, "a bundled task's slot works on its bundle");
      }
    }
  }
  hold(
    queuedTasks === state.queuedTasks,
    `queued tasks are counted (${queuedTasks}, counted ${state.queuedTasks})`,
  );
  hold(held <= limits.tasksHeldPerClient, "no more is held than the protocol allows");
  for (const task of state.checkpointsPending) {
    hold(task.checkpoint !== undefined, "a pending checkpoint exists");
    hold(task.place.state !== "gone", "a pending checkpoint is of a task that is held");
  }
}

function checkSlots(state: Readonly<SessionState>): void {
  const sandboxes = new Set<number>();
  for (const [number, slot] of state.slots) {
    hold(slot.number === number, "a slot is filed under its number");
    hold(slot.retiring === number >= state.slotsChosen, "slots above the chosen number retire");
    if (slot.sandbox) hold(!sandboxes.has(slot.sandbox.id), "a sandbox is in one slot");
    if (slot.sandbox) sandboxes.add(slot.sandbox.id);
    if (slot.work.state === "idle") hold(!slot.retiring, "a retiring slot goes when it is idle");
    if (slot.work.state === "broken") hold(!slot.sandbox, "a broken slot has no sandbox");
    if (slot.work.state !== "bundled") continue;
    const { work } = slot;
    hold(work.slot === slot, "a bundle knows its slot");
    hold(slot.sandbox !== undefined, "a bundle has a sandbox");
    hold(work.remaining.size > 0, "a bundle has something left to do");
    for (const task of work.remaining.values()) {
      hold(task.place === work && task.job === work.job, "a bundle is of one job, and its tasks are in it");
      hold(work.job.tasks.get(task.task.index) === task, "a bundle's tasks are held");
    }
    hold((work.deadline === undefined) === (work.phase === "preparing"), "what runs has a deadline");
  }
}

function checkOutbox(state: Readonly<SessionState>): void {
  let unsent = 0;
  let uploads = 0;
  const connected = state.connection.state === "connected";
  for (const [job, entries] of state.outbox) {
    hold(entries.size > 0, "the outbox has no empty jobs");
    for (const [index, entry] of entries) {
      unsent++;
      if (entry.upload !== undefined) uploads++;
      hold(entry.job === job && entry.result.index === index, "a result is filed under its own index");
      hold(connected || entry.sentAt === undefined, "nothing counts as sent without a connection");
      hold(connected || entry.persisted, "every result is on disk while there is no connection");
      hold(!connected || entry.sentAt !== undefined || entry.upload !== undefined, "every result is sent");
    }
  }
  hold(uploads === state.uploads, "uploads are counted");
  hold(unsent === state.unsent, "unsent results are counted");
  hold(unsent === 0 || state.outboxCheckAt < Infinity, "the outbox is looked after");
}

function checkModes(state: Readonly<SessionState>): void {
  const { mode, connection } = state;
  hold((mode === "stopped") === (connection.state === "stopped"), "a client is stopped as a whole");
  if (mode !== "running") hold(state.queuedTasks === 0, "nothing waits unless the client is running");
  if (mode === "stopped") hold(state.slots.size === 0, "a stopped client has no slots");
  hold(connection.state === "connected" || state.precaches.size === 0, "precaches end with their connection");
  if (connection.state !== "connected") return;
  hold(connection.credit !== undefined, "the server knows what is wanted");
  hold(
    mode === "running" || connection.credit?.tasks === 0,
    "nothing is wanted unless the client is running",
  );
}
