import type { AttemptEnd } from "../../../../shared/wire/attempts.ts";

/** The task stream, and what it tells of the attempt under the pointer. */
export const stream = {
  title: "Task stream",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  now: "Now",
  facts: (attempts: string, slots: string) => `${attempts} in ${slots}`,
  factsOfServer: (attempts: string, slots: string) => `${attempts} in ${slots} of this server`,
  how: "Click into it, then: wheel or + − to zoom, drag or arrows to move, [ ] from attempt to attempt.",
  chart: (attempts: string, slots: string) =>
    `Attempts by time, a lane a slot: ${attempts} attempts in ${slots} slots. Arrow keys move, plus and minus zoom, Home and End go to the oldest and the newest, brackets go from attempt to attempt.`,
  failed: "failed",
  lost: "lost",
  cancelled: "cancelled, handed back",
  verifies: "verifies another result",
  task: (index: string) => `task ${index}`,
  bundle: (count: string, index: string) => `${count} tasks in a bundle, from ${index}`,
  slot: (number: string) => `slot ${number}`,
  running: "running",
  verifying: (what: string) => `${what}; verifies another result`,
  ends: {
    done: "done",
    failed: "failed",
    lost: "lost: its client vanished",
    cancelled: "cancelled: the result came from elsewhere, or the job ended",
    returned: "handed back",
  } satisfies Record<AttemptEnd, string>,
};
