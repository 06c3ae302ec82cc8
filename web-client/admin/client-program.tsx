import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { CopyButton } from "./copy-button.tsx";
import { Sentence } from "./sentence.tsx";
import { texts } from "./texts/current.ts";

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
  const text = texts.overview.join;
  const commands = `curl -fO ${address}/client.mjs && node client.mjs --server ${address}`;
  return (
    <details>
      <summary>{text.headless}</summary>
      <p class="muted">
        <Sentence text={text.headlessHow} />
      </p>
      <div class="address">
        <code>{commands}</code>
        <CopyButton text={commands} />
      </div>
      <p class="muted hint">
        {text.sha256} <code>{sha256.value}</code>
      </p>
    </details>
  );
}
