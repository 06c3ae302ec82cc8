import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { TokenInfo } from "../../shared/wire/rest/tokens.ts";
import { shownName } from "../ui/shown-name.ts";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";

/** How many clients a token allows at once, changed in place: Enter or leaving the field sends it, Escape does not. */
export function TokenLimit({ token, onChange }: { token: TokenInfo; onChange: () => void }): JSX.Element {
  const { id, name, role, maxClients } = token;
  const typed = useSignal<string | undefined>(undefined);
  const send = async (): Promise<void> => {
    const text = typed.value?.trim();
    const wanted = text ? Number(text) : undefined;
    typed.value = undefined;
    if (text === undefined || wanted === maxClients) return;
    await act("PATCH", `api/tokens/${encodeURIComponent(id)}`, { maxClients: wanted ?? null });
    onChange();
  };
  if (role === "admin" || role === "customer") return <span>–</span>;
  return (
    <input
      class="priority"
      type="number"
      step="1"
      min={1}
      max={100_000}
      placeholder={texts.access.any}
      aria-label={texts.access.mostClients(shownName(name))}
      value={typed.value ?? maxClients ?? ""}
      onInput={({ currentTarget }) => (typed.value = currentTarget.value)}
      onKeyDown={({ key, currentTarget }) => {
        if (key === "Escape") typed.value = undefined;
        if (key === "Enter" || key === "Escape") currentTarget.blur();
      }}
      onBlur={() => void send()}
    />
  );
}
