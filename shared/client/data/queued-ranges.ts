import { endOfMessagePack, messagePackBounds } from "../../wire/messagepack-walk.ts";
import { extensions, readReference } from "../../wire/value-forms.ts";
import type { QueuedBlob } from "../ports.ts";

/** The references with a range in an input. An input that is no value yields none: its task fails. */
export function rangesIn(input: Uint8Array): QueuedBlob[] {
  const found: QueuedBlob[] = [];
  try {
    endOfMessagePack(input, 0, messagePackBounds.value, (type, bytes, from, to) => {
      const { sha256, size, range } = (type === extensions.reference && readReference(bytes, from, to)) || {};
      if (sha256 && size && range) found.push({ sha256, size, range });
      return true;
    });
  } catch {
    // The kernel's sandbox refuses it.
  }
  return found;
}
