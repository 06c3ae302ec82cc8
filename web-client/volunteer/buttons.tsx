import type { JSX } from "preact";
import type { Phase } from "./phase.ts";
import { forever } from "./forever.ts";
import type { Settings } from "./settings.ts";
import { page } from "./texts/current.ts";
import type { Volunteer } from "./volunteer.ts";

interface ButtonsProps {
  readonly volunteer: Volunteer;
  readonly phase: Phase;
  readonly choose: (changed: Partial<Settings>) => void;
  readonly onResume: (() => void) | undefined;
}

/** The buttons that start, pause and stop. */
export function Buttons({ volunteer, phase, choose, onResume }: ButtonsProps): JSX.Element {
  const { buttons } = page;
  const begin = (): void => {
    choose({ pausedUntil: 0 });
    volunteer.hold(false);
  };
  const start = (label: string): JSX.Element => (
    <button
      type="button"
      class="button primary big"
      onClick={() => {
        begin();
        volunteer.start();
      }}
    >
      {label}
    </button>
  );
  if (phase.state === "ready") return start(buttons.start);
  if (phase.state === "stopped") return start(buttons.again);
  if (phase.state === "broken") return start(buttons.retry);
  const stop = (
    <button type="button" class="button" onClick={() => volunteer.stop()}>
      {phase.state === "otherTab" ? buttons.noWait : buttons.stop}
    </button>
  );
  if (phase.state !== "running") return stop;
  const { mode, connection } = phase.status;
  if (connection.state === "refused") return start(buttons.retry);
  return (
    <>
      {mode === "paused" ? (
        <button
          type="button"
          class="button primary"
          onClick={() => {
            onResume?.();
            begin();
          }}
        >
          {buttons.resume}
        </button>
      ) : (
        <button
          type="button"
          class="button"
          disabled={mode !== "running"}
          onClick={() => {
            choose({ pausedUntil: forever });
            volunteer.hold(true);
          }}
        >
          {buttons.pause}
        </button>
      )}
      {mode === "draining" ? (
        stop
      ) : (
        <button type="button" class="button" onClick={() => void volunteer.finish()}>
          {buttons.finish}
        </button>
      )}
    </>
  );
}
