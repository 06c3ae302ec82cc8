import type { JSX } from "preact";

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
