import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { ServerStatus } from "../../shared/wire/rest.ts";
import type { Why } from "../../shared/wire/why.ts";
import { request } from "./api.ts";

const everyMs = 3_000;

/** Why nothing is computed, while there are jobs and nothing is. */
export function WhyIdle({ status }: { status: ServerStatus }): JSX.Element | null {
  const why = useSignal<Why | undefined>(undefined);
  const isIdle = status.jobs > 0 && status.tasks.running === 0;
  useEffect(() => {
    if (!isIdle) return undefined;
    const ask = (): void => {
      // The banner of old figures says that the server is away.
      request("GET", "api/why").then(
        (reply) => (why.value = reply as Why),
        () => undefined,
      );
    };
    ask();
    const timer = setInterval(ask, everyMs);
    return () => {
      clearInterval(timer);
      why.value = undefined;
    };
  }, [isIdle]);
  const reasons = why.value?.reasons ?? [];
  if (!isIdle || reasons.length === 0) return null;
  return (
    <section class="card panel" aria-labelledby="why">
      <h2 id="why">Nothing is computed at present</h2>
      <ul class="reasons">
        {reasons.map(({ text }) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </section>
  );
}
