import type { Phase } from "./phase.ts";
import type { AddressOptions, Settings } from "./settings.ts";
import type { Volunteer } from "./volunteer.ts";

/** The page, as the code that loads after the first task knows it. */
export interface Host {
  readonly props: { readonly volunteer: Volunteer; readonly address: AddressOptions };
  readonly state: { readonly phase: Phase; readonly settings: Settings };
  /** Applies and keeps changed choices. */
  readonly choose: (changed: Partial<Settings>) => void;
  /** Draws the page anew. */
  forceUpdate(): void;
}
