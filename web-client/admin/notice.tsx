import type { JSX } from "preact";
import { formatCount } from "../ui/format.ts";
import { shownText } from "../ui/shown-name.ts";
import { notice, staleSeconds } from "./state.ts";
import { texts } from "./texts/current.ts";

/** The newest refusal, with its remedy. */
export function Notice(): JSX.Element {
  const error = notice.value;
  return (
    <div role="alert">
      {error && (
        <div class="banner bad">
          <p lang="en">
            <strong>
              <bdi>{shownText(error.message)}</bdi>
            </strong>{" "}
            {error.remedy}
          </p>
          <button type="button" class="button small" onClick={() => (notice.value = undefined)}>
            {texts.frame.dismiss}
          </button>
        </div>
      )}
    </div>
  );
}

/** Warns that the figures are old. */
export function StaleBanner(): JSX.Element {
  const seconds = staleSeconds.value;
  return (
    <div role="status">
      {seconds !== undefined && (
        <div class="banner warn">
          <p>
            <strong>{texts.frame.stale(formatCount(seconds))}</strong> {texts.frame.staleHow}
          </p>
        </div>
      )}
    </div>
  );
}
