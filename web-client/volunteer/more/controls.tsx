import type { JSX } from "preact";
import { formatShare } from "../../ui/format.ts";
import { cores, leastCpu, type Settings } from "../settings.ts";
import { canKeepAwake } from "../wake-lock.ts";
import { keptRules, readRules, tomorrow, type Rules } from "./gate.ts";
import { tellsIdle, tellsMains } from "./machine.ts";
import { always } from "./schedule.ts";
import { ScheduleGrid } from "./schedule-grid.tsx";
import { more } from "./texts.ts";

interface ChoicesProps {
  readonly settings: Settings;
  readonly choose: (changed: Partial<Settings>) => void;
  /** Called when the person wants the page to compute only while nobody uses the machine; false when the browser may not tell. */
  readonly askIdle: () => Promise<boolean>;
  readonly idleRefused: boolean;
  readonly forget: () => void;
}

/** Everything that a person can choose. */
export function Choices({ settings, choose, askIdle, idleRefused, forget }: ChoicesProps): JSX.Element {
  const texts = more.settings;
  const { slots, cpu, keepAwake, name = "", team = "" } = settings;
  const rules = readRules(settings.rules);
  const rule = (changed: Partial<Rules>): void => choose({ rules: keptRules({ ...rules, ...changed }) });
  return (
    <div class="choices">
      <Slider
        label={texts.cores(slots, cores)}
        min={1}
        max={cores}
        value={slots}
        onInput={(value) => choose({ slots: value })}
      />
      <Slider
        label={texts.cpu(formatShare(cpu / 100))}
        hint={texts.cpuHow}
        min={leastCpu}
        max={100}
        step={5}
        value={cpu}
        onInput={(value) => choose({ cpu: value })}
      />
      <Check
        label={texts.awake}
        hint={canKeepAwake ? undefined : texts.noAwake}
        can={canKeepAwake}
        checked={keepAwake}
        onChange={(on) => choose({ keepAwake: on })}
      />
      <Check
        label={texts.mains}
        hint={tellsMains ? undefined : texts.noMains}
        can={tellsMains}
        checked={rules.mains === true}
        onChange={(on) => rule({ mains: on })}
      />
      <Check
        label={texts.idle}
        hint={!tellsIdle ? texts.noIdle : idleRefused ? texts.refusedIdle : undefined}
        can={tellsIdle}
        checked={rules.idle === true}
        onChange={(on) => {
          if (!on) rule({ idle: false });
          else void askIdle().then((tells) => rule({ idle: tells }));
        }}
      />
      <Check
        label={texts.hours}
        can={true}
        checked={rules.schedule !== undefined}
        onChange={(on) => rule({ schedule: on ? always : undefined })}
      />
      {rules.schedule && (
        <div>
          <p class="muted small">{texts.hoursHow}</p>
          <ScheduleGrid schedule={rules.schedule} onChange={(schedule) => rule({ schedule })} />
        </div>
      )}
      <div class="names">
        <Field label={texts.name} value={name} onInput={(text) => choose({ name: text || undefined })} />
        <Field label={texts.team} value={team} onInput={(text) => choose({ team: text || undefined })} />
        <p class="muted small">{texts.nameHow}</p>
      </div>
      <div>
        <button type="button" class="button danger" onClick={forget}>
          {texts.forget}
        </button>
        <p class="muted small">{texts.forgetHow}</p>
      </div>
    </div>
  );
}

/** Pauses that end by themselves. */
export function Pauses({ choose }: Pick<ChoicesProps, "choose">): JSX.Element {
  const until = (time: Date): void => choose({ pausedUntil: time.getTime() });
  return (
    <div class="buttons small" role="group" aria-label={more.pauseFor}>
      <span class="muted">{more.pauseFor}</span>
      <button type="button" class="button small" onClick={() => until(new Date(Date.now() + 3_600_000))}>
        {more.hour}
      </button>
      <button type="button" class="button small" onClick={() => until(tomorrow(new Date()))}>
        {more.tomorrowButton}
      </button>
    </div>
  );
}

interface SliderProps {
  readonly label: string;
  readonly hint?: string;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly value: number;
  readonly onInput: (value: number) => void;
}

function Slider({ label, hint, min, max, step = 1, value, onInput }: SliderProps): JSX.Element {
  return (
    <label class="slider">
      <span>{label}</span>
      <input
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        disabled={min === max}
        onInput={({ currentTarget }) => onInput(Number(currentTarget.value))}
      />
      {hint && <span class="muted small">{hint}</span>}
    </label>
  );
}

interface CheckProps {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly can: boolean;
  readonly checked: boolean;
  readonly onChange: (on: boolean) => void;
}

function Check({ label, hint, can, checked, onChange }: CheckProps): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked && can}
        disabled={!can}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />
      <span>
        {label}
        {hint && <small class="muted"> {hint}</small>}
      </span>
    </label>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
}

function Field({ label, value, onInput }: FieldProps): JSX.Element {
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        dir="auto"
        maxLength={40}
        autoComplete="off"
        value={value}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
      />
    </label>
  );
}
