import type { JSX } from "preact";
import { isOn, withHour, type Schedule } from "./schedule.ts";
import { more } from "./texts.ts";

interface GridProps {
  readonly schedule: Schedule;
  readonly onChange: (schedule: Schedule) => void;
}

/** Whether the pointer is switching hours on or off as it moves. */
let painting: boolean | undefined;
addEventListener("pointerup", () => (painting = undefined));
addEventListener("pointercancel", () => (painting = undefined));

/** A button for each hour of the week. */
export function ScheduleGrid({ schedule, onChange }: GridProps): JSX.Element {
  const { days, hourOf } = { ...more, ...more.settings };
  return (
    <div class="week" role="group" aria-label={more.settings.hours}>
      <span />
      {Array.from({ length: 24 }, (_, hour) => (
        <span key={hour} class="hour-name" aria-hidden="true">
          {hour % 6 === 0 ? hour : ""}
        </span>
      ))}
      {days.map((day, at) => [
        <span key={day} class="day-name" aria-hidden="true">
          {day.slice(0, 2)}
        </span>,
        ...Array.from({ length: 24 }, (_, hour) => {
          const on = isOn(schedule, at, hour);
          const set = (to: boolean): void => {
            if (to !== on) onChange(withHour(schedule, at, hour, to));
          };
          return (
            <button
              key={`${day} ${hour}`}
              type="button"
              class={on ? "hour on" : "hour"}
              aria-pressed={on}
              aria-label={hourOf(day, hour)}
              title={hourOf(day, hour)}
              onPointerDown={(event) => {
                event.currentTarget.releasePointerCapture(event.pointerId);
                set((painting = !on));
              }}
              onPointerEnter={() => painting !== undefined && set(painting)}
              onKeyDown={(event) => move(event, at, hour) || (/^(Enter| )$/.test(event.key) && set(!on))}
              tabIndex={at === 0 && hour === 0 ? 0 : -1}
            />
          );
        }),
      ])}
    </div>
  );
}

const steps: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};

/** Arrow keys go from hour to hour, so that the grid is one stop of the Tab key. */
function move(
  event: { key: string; currentTarget: HTMLButtonElement; preventDefault(): void },
  day: number,
  hour: number,
): boolean {
  const step = steps[event.key];
  if (!step) return false;
  event.preventDefault();
  const next = ((day + step[0] + 7) % 7) * 24 + ((hour + step[1] + 24) % 24);
  event.currentTarget.parentElement?.querySelectorAll<HTMLButtonElement>("button")[next]?.focus();
  return true;
}
