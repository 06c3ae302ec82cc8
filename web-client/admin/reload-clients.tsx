import type { JSX } from "preact";
import { actOn } from "./client-pages.ts";
import { AskingButton } from "./confirm.tsx";
import { texts } from "./texts/current.ts";

/** Asks clients to take the server's version. */
export function ReloadButton({ ids }: { ids: readonly string[] }): JSX.Element {
  const noun = texts.counts.clients(ids.length);
  const { label, title, text, verb } = texts.clients.reload;
  return (
    <AskingButton
      label={label}
      title={title(noun)}
      text={text}
      verb={verb(noun)}
      yes={() => void actOn("reload", ids)}
    />
  );
}
