import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { texts } from "./texts/current.ts";

interface Question {
  readonly title: string;
  readonly text: string;
  /** Label of the button that goes ahead. */
  readonly verb: string;
  readonly yes: () => void;
}

const question = signal<Question | undefined>(undefined);

/** A button of a table for an action that cannot be undone: the button asks first. */
export function DangerButton(props: Question & { readonly label: string }): JSX.Element {
  return <AskingButton {...props} isDanger />;
}

/** A button of a table that asks first. */
export function AskingButton({
  label,
  isDanger = false,
  ...asked
}: Question & { readonly label: string; readonly isDanger?: boolean }): JSX.Element {
  return (
    <button
      type="button"
      class={`button small ${isDanger ? "danger" : ""}`}
      onClick={() => (question.value = asked)}
    >
      {label}
    </button>
  );
}

export function ConfirmDialog(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const asked = question.value;
  useEffect(() => {
    if (asked) dialog.current?.showModal();
    else dialog.current?.close();
  }, [asked]);
  return (
    <dialog ref={dialog} class="card" aria-labelledby="question" onClose={() => (question.value = undefined)}>
      <h2 id="question">{asked?.title}</h2>
      <p>{asked?.text}</p>
      <div class="buttons">
        <button type="button" class="button" onClick={() => (question.value = undefined)}>
          {texts.frame.leave}
        </button>
        <button
          type="button"
          class="button danger"
          onClick={() => {
            question.value = undefined;
            asked?.yes();
          }}
        >
          {asked?.verb}
        </button>
      </div>
    </dialog>
  );
}
