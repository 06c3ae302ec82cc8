import type { JSX } from "preact";
import type { Phase } from "./phase.ts";
import { cores, type Settings } from "./settings.ts";
import type { Volunteer } from "./volunteer.ts";
import { canKeepAwake } from "./wake-lock.ts";

interface ControlsProps {
  readonly volunteer: Volunteer;
  readonly phase: Phase;
  readonly settings: Settings;
  readonly choose: (changed: Partial<Settings>) => void;
}

/** The buttons and settings of the page. */
export function Controls({ volunteer, phase, settings, choose }: ControlsProps): JSX.Element {
  return (
    <div class="controls">
      <Buttons volunteer={volunteer} phase={phase} />
      <Choices settings={settings} choose={choose} />
    </div>
  );
}

function Buttons({ volunteer, phase }: { volunteer: Volunteer; phase: Phase }): JSX.Element {
  const start = (label: string): JSX.Element => (
    <button type="button" class="button primary big" onClick={() => volunteer.start()}>
      {label}
    </button>
  );
  if (phase.state === "ready") return start("Start computing");
  if (phase.state === "stopped") return start("Start again");
  if (phase.state === "broken") return start("Try again");
  const stop = (
    <button type="button" class="button" onClick={() => volunteer.stop()}>
      {phase.state === "otherTab" ? "Do not wait" : "Stop now"}
    </button>
  );
  if (phase.state !== "running") return <div class="buttons">{stop}</div>;
  const { mode, connection } = phase.status;
  if (connection.state === "refused") return start("Try again");
  return (
    <div class="buttons">
      {mode === "paused" ? (
        <button type="button" class="button primary" onClick={() => volunteer.resume()}>
          Resume
        </button>
      ) : (
        <button type="button" class="button" disabled={mode !== "running"} onClick={() => volunteer.pause()}>
          Pause
        </button>
      )}
      {mode === "draining" ? (
        stop
      ) : (
        <button type="button" class="button" onClick={() => void volunteer.finish()}>
          Finish and stop
        </button>
      )}
    </div>
  );
}

function Choices({ settings, choose }: Pick<ControlsProps, "settings" | "choose">): JSX.Element {
  const { slots, keepAwake } = settings;
  return (
    <div class="choices">
      <label class="slider">
        <span>
          Processor cores to lend: <output>{slots}</output> of {cores}
        </span>
        <input
          type="range"
          min="1"
          max={cores}
          step="1"
          value={slots}
          disabled={cores === 1}
          onInput={({ currentTarget }) => choose({ slots: Number(currentTarget.value) })}
        />
      </label>
      {canKeepAwake && (
        <label class="check">
          <input
            type="checkbox"
            checked={keepAwake}
            onChange={({ currentTarget }) => choose({ keepAwake: currentTarget.checked })}
          />
          <span>Keep this computer awake while it computes</span>
        </label>
      )}
    </div>
  );
}
