import type { SessionState, Slot } from "./state.ts";

/**
 * Writes a debug line, with the state's story, for an event or a part of one that does not fit the state. Most such events were
 * under way when the state changed.
 */
export function ignore(state: SessionState, reason: string): void {
  const { event, mode, connection, queuedTasks, unsent, slots } = state;
  const type = event.type === "messageReceived" ? event.message.type : event.type;
  state.out.push({
    type: "writeLog",
    level: "debug",
    message: `Ignored ${type}: ${reason}`,
    details: {
      mode,
      connection: connection.state,
      queuedTasks,
      unsent,
      slots: [...slots.values()].map(storyOf),
    },
  });
}

function storyOf({ number, sandbox, work }: Slot): Record<string, unknown> {
  const { state } = work;
  const bundle = state === "bundled" && { run: work.run, phase: work.phase, remaining: work.remaining.size };
  return { number, sandbox: sandbox?.id, state, ...bundle };
}
