import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { OwnQuotas, UsageInfo } from "../../shared/wire/rest/usage.ts";
import { shownName } from "../ui/shown-name.ts";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";

const bytesPerGib = 1024 ** 3;

/** The bounds, the size in which a person gives each, and its largest value. */
const fields = [
  { bound: "bytes", unit: bytesPerGib, most: 8_000_000, step: "any" },
  { bound: "jobs", unit: 1, most: 10_000_000, step: 1 },
  { bound: "kernels", unit: 1, most: 10_000_000, step: 1 },
  { bound: "openTasks", unit: 1, most: 10_000_000_000, step: 1 },
] as const;

/** A button that shows and changes a customer's own bounds. */
export function QuotaButton({ customer }: { customer: string }): JSX.Element {
  const shown = useSignal<OwnQuotas | undefined>(undefined);
  const open = async (): Promise<void> => {
    const all = (await act("GET", "api/usage")) as readonly UsageInfo[] | undefined;
    shown.value = all && (all.find((one) => one.customer === customer)?.ownQuota ?? {});
  };
  return (
    <>
      <button type="button" class="button small" onClick={() => void open()}>
        {texts.access.quota.label}
      </button>
      {shown.value && (
        <QuotaDialog customer={customer} own={shown.value} onClose={() => (shown.value = undefined)} />
      )}
    </>
  );
}

interface DialogProps {
  readonly customer: string;
  /** Its bounds when the dialog was opened. */
  readonly own: OwnQuotas;
  readonly onClose: () => void;
}

function QuotaDialog({ customer, own, onClose }: DialogProps): JSX.Element {
  const text = texts.access.quota;
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const send = async (form: HTMLFormElement): Promise<void> => {
    const given = new FormData(form);
    const wanted = Object.fromEntries(
      fields.flatMap(({ bound, unit }) => {
        const typed = given.get(bound);
        return typeof typed !== "string" || typed === "" ? [] : [[bound, Math.round(Number(typed) * unit)]];
      }),
    ) as OwnQuotas;
    if (await act("PUT", `api/quotas/${encodeURIComponent(customer)}`, wanted)) onClose();
  };
  return (
    <dialog ref={dialog} class="card" aria-labelledby="quota" onClose={onClose}>
      <h2 id="quota">{text.title(shownName(customer))}</h2>
      <p>{text.note}</p>
      <form
        class="new-token"
        onSubmit={(event) => {
          event.preventDefault();
          void send(event.currentTarget);
        }}
      >
        {fields.map(({ bound, unit, most, step }) => {
          const value = own[bound];
          return (
            <label key={bound}>
              <span>{text.bounds[bound]}</span>
              <input
                name={bound}
                type="number"
                min={0}
                max={most}
                step={step}
                placeholder={text.asEverybody}
                defaultValue={value === undefined ? "" : value / unit}
              />
            </label>
          );
        })}
        <div class="buttons">
          <button type="button" class="button" onClick={onClose}>
            {text.leave}
          </button>
          <button type="submit" class="button primary">
            {text.set}
          </button>
        </div>
      </form>
    </dialog>
  );
}
