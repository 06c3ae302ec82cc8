import type { JSX } from "preact";
import { formatCount, formatTime } from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { hashOf } from "./place.ts";
import { texts } from "./texts/current.ts";

export interface LogLine {
  readonly at: number;
  readonly index: number;
  readonly client: string;
  readonly line: string;
}

/** Lines shown, the newest. */
const shownLines = 200;

/** The newest lines that kernels wrote, the newest first. */
export function Log({ lines, job }: { lines: readonly LogLine[]; job: string }): JSX.Element {
  const shown = lines.slice(-shownLines).toReversed();
  return (
    <section class="card panel" aria-labelledby="log">
      <h2 id="log">{texts.frame.log}</h2>
      {shown.length < lines.length && (
        <p class="muted">{texts.frame.newestLines(formatCount(shown.length), formatCount(lines.length))}</p>
      )}
      <ol class="log" tabIndex={0} aria-labelledby="log">
        {shown.map(({ at, index, client, line }) => (
          <li key={`${at} ${index} ${line}`}>
            <span class="muted">
              {formatTime(at)}{" "}
              <a href={hashOf({ at: "task", job, index })}>{texts.stream.task(formatCount(index))}</a>{" "}
              {texts.frame.on(shownName(client))}
            </span>{" "}
            <bdi>{shownText(line)}</bdi>
          </li>
        ))}
      </ol>
    </section>
  );
}
