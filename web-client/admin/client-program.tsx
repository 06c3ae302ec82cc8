import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { CopyButton } from "./copy-button.tsx";

/** SHA-256 of the headless client in one file; undefined before the server's answer, and where the server has no such file. */
const sha256 = signal<string | undefined>(undefined);

fetch("client.mjs.sha256")
  .then(async (reply) => {
    if (reply.ok) sha256.value = (await reply.text()).slice(0, 64);
  })
  .catch(() => undefined);

/** The command with which a machine computes without a browser. */
export function ClientProgram({ address }: { address: string }): JSX.Element | null {
  if (sha256.value === undefined) return null;
  const commands = `curl -fO ${address}/client.mjs && node client.mjs --server ${address}`;
  return (
    <details>
      <summary>Without a browser</summary>
      <p class="muted">
        With Node 22 or newer; trusted with the token of <code>manyhands token create --role client</code> in
        MANYHANDS_TOKEN.
      </p>
      <div class="address">
        <code>{commands}</code>
        <CopyButton text={commands} />
      </div>
      <p class="muted hint">
        SHA-256 of client.mjs: <code>{sha256.value}</code>
      </p>
    </details>
  );
}
