import type { JSX } from "preact";
import { shownText } from "../ui/shown-name.ts";
import { notice, staleSeconds } from "./state.ts";

/** The newest refusal, with its remedy. */
export function Notice(): JSX.Element {
  const error = notice.value;
  return (
    <div role="alert">
      {error && (
        <div class="banner bad">
          <p>
            <strong>
              <bdi>{shownText(error.message)}</bdi>
            </strong>{" "}
            {error.remedy}
          </p>
          <button type="button" class="button small" onClick={() => (notice.value = undefined)}>
            Dismiss
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
            <strong>These figures are {seconds} s old:</strong> the server stopped sending. The page connects
            again by itself as soon as the server answers.
          </p>
        </div>
      )}
    </div>
  );
}
