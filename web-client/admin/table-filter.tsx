import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import { formatCount } from "../ui/format.ts";

/** A browser renders this many rows every second without a noticeable pause; the filter finds the others. */
export const maxRows = 100;

interface FilterProps {
  readonly text: Signal<string>;
  readonly label: string;
}

export function Filter({ text, label }: FilterProps): JSX.Element {
  return <SearchField text={text.value} label={label} onText={(typed) => (text.value = typed)} />;
}

interface SearchProps {
  readonly text: string;
  readonly label: string;
  readonly onText: (text: string) => void;
}

export function SearchField({ text, label, onText }: SearchProps): JSX.Element {
  return (
    <input
      class="filter"
      type="search"
      placeholder={label}
      aria-label={label}
      value={text}
      onInput={({ currentTarget }) => onText(currentTarget.value)}
    />
  );
}

/** Whether any of the texts contains what the person typed. */
export function matches(filter: string, texts: readonly string[]): boolean {
  const wanted = filter.trim().toLowerCase();
  return wanted === "" || texts.some((text) => text.toLowerCase().includes(wanted));
}

/** The note that not every row is shown. */
export function Remainder({
  shown,
  of,
  noun,
}: {
  shown: number;
  of: number;
  noun: string;
}): JSX.Element | null {
  if (shown >= of) return null;
  return (
    <p class="muted remainder">
      The first {formatCount(shown)} of {formatCount(of)} {noun}; type a filter to see others.
    </p>
  );
}
