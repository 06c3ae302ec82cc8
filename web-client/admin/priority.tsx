import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { limits } from "../../shared/limits.ts";
import type { JobInfo } from "../../shared/wire/rest/jobs.ts";
import { shownName } from "../ui/shown-name.ts";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";

/** A job's priority, changed in place: Enter or leaving the field sends it, Escape does not. */
export function Priority({ job }: { job: JobInfo }): JSX.Element {
  const typed = useSignal<string | undefined>(undefined);
  const send = (): void => {
    const priority = Number(typed.value);
    const changed = typed.value !== undefined && typed.value.trim() !== "" && priority !== job.priority;
    typed.value = undefined;
    if (changed) void act("POST", `api/jobs/${job.id}/priority`, { priority });
  };
  if (job.endedAt !== null) return <span>{job.priority}</span>;
  return (
    <input
      class="priority"
      type="number"
      step="1"
      min={limits.minPriority}
      max={limits.maxPriority}
      aria-label={texts.job.priorityOf(shownName(job.name))}
      value={typed.value ?? job.priority}
      onInput={({ currentTarget }) => (typed.value = currentTarget.value)}
      onKeyDown={({ key, currentTarget }) => {
        if (key === "Escape") typed.value = undefined;
        if (key === "Enter" || key === "Escape") currentTarget.blur();
      }}
      onBlur={send}
    />
  );
}
