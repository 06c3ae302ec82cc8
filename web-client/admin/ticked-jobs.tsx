import type { JSX } from "preact";
import { AskingButton, DangerButton } from "./confirm.tsx";
import { actOnTicked, tickAll, ticks } from "./job-pages.ts";
import { texts } from "./texts/current.ts";
import { TickedBar } from "./ticks.tsx";

/** Buttons that act on all ticked jobs. */
export function TickedJobs(): JSX.Element {
  const noun = texts.counts.jobs(ticks.ids.value.size);
  const { title, pause, resume, retry, cancel } = texts.jobs.ticked;
  return (
    <TickedBar ticks={ticks} label={title} noun={noun} onAll={tickAll}>
      <AskingButton {...question(pause, noun)} yes={() => void actOnTicked("pause")} />
      <AskingButton {...question(resume, noun)} yes={() => void actOnTicked("resume")} />
      <AskingButton {...question(retry, noun)} yes={() => void actOnTicked("retry")} />
      <DangerButton {...question(cancel, noun)} yes={() => void actOnTicked("cancel")} />
    </TickedBar>
  );
}

interface Texts {
  readonly label: string;
  readonly title: (jobs: string) => string;
  readonly text: string;
  readonly verb: (jobs: string) => string;
}

function question(
  { label, title, text, verb }: Texts,
  noun: string,
): { label: string; title: string; text: string; verb: string } {
  return { label, title: title(noun), text, verb: verb(noun) };
}
