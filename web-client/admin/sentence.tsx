import type { JSX } from "preact";

/** A text whose parts between backticks are code. */
export function Sentence({ text }: { text: string }): JSX.Element {
  return <>{text.split("`").map((part, at) => (at % 2 === 0 ? part : <code key={at}>{part}</code>))}</>;
}
