import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { texts } from "./texts/current.ts";

const shownMs = 2_000;

/** A button that copies a text. */
export function CopyButton({ text }: { text: string }): JSX.Element {
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    copied.value = await copyText(text);
    setTimeout(() => (copied.value = false), shownMs);
  };
  return (
    <button type="button" class="button small" onClick={() => void copy()}>
      <span aria-live="polite">{copied.value ? texts.frame.copied : texts.frame.copy}</span>
    </button>
  );
}

async function copyText(text: string): Promise<boolean> {
  // The clipboard is declared as always there, but exists in secure contexts only; a lab's server is plain HTTP.
  const { clipboard } = navigator as { clipboard?: Clipboard };
  if (clipboard) {
    return clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  // The command is deprecated, and the only way to copy on plain HTTP.
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
