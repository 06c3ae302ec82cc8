import type { JSX } from "preact";
import type { Why } from "../../shared/wire/why.ts";
import { shownText } from "../ui/shown-name.ts";
import { useReading } from "./reading.ts";

const everyMs = 3_000;

/** Why no task of the server, or of a job, is computed; nothing while there is no reason. @param path - the address that tells */
export function WhyIdle({ path, heading }: { path: string; heading: string }): JSX.Element | null {
  // The banner of old figures says that the server is away.
  const reasons = useReading<Why>(path, everyMs).value?.reasons ?? [];
  if (reasons.length === 0) return null;
  return (
    <section class="card panel" aria-labelledby="why">
      <h2 id="why">{heading}</h2>
      <ul class="reasons" lang="en">
        {reasons.map(({ text }) => (
          <li key={text}>{shownText(text)}</li>
        ))}
      </ul>
    </section>
  );
}
