import type { Process } from "../process.ts";

/** The calls that tell texts, each with a zero behind it: their number and size, and the texts. */
export function textCalls<Name extends "args" | "environ">(
  name: Name,
  texts: () => readonly Uint8Array[],
  { memory }: Process,
) {
  const sizes = (count: number, size: number): void => {
    const { view } = memory();
    view.setUint32(count >>> 0, texts().length, true);
    view.setUint32(
      size >>> 0,
      texts().reduce((sum, text) => sum + text.length + 1, 0),
      true,
    );
  };
  const get = (addresses: number, buffer: number): void => {
    const { view } = memory();
    let at = buffer >>> 0;
    for (const [index, text] of texts().entries()) {
      view.setUint32((addresses >>> 0) + index * 4, at, true);
      memory().bytes(at, text.length).set(text);
      view.setUint8(at + text.length, 0);
      at += text.length + 1;
    }
  };
  return { [`${name}_sizes_get`]: sizes, [`${name}_get`]: get } as Record<
    `${Name}_sizes_get` | `${Name}_get`,
    (first: number, second: number) => void
  >;
}
