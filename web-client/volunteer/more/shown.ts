import { limits } from "../../../shared/limits.ts";

/** What a kernel may show: a text, a PNG, or pixels (red, green, blue, opacity). */
export type Shown =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "png"; readonly bytes: Uint8Array<ArrayBuffer> }
  | {
      readonly kind: "pixels";
      readonly width: number;
      readonly height: number;
      readonly data: Uint8ClampedArray<ArrayBuffer>;
    };

/** Largest width and height of a PNG: a small file may stand for a picture of gigabytes. */
const pngPixels = 1024;
const pngHead = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Reads what a sandbox sent, which may be anything; undefined for what cannot be shown (SPEC.md [VOLUNTEER-7]). */
export function readShown(raw: unknown): Shown | undefined {
  const value = (Object(raw) as { value?: unknown }).value;
  if (typeof value === "string") return { kind: "text", text: value.slice(0, limits.shownChars) };
  if (value instanceof Uint8Array)
    return isSmallPng(value) ? { kind: "png", bytes: value.slice() } : undefined;
  const { width, height, data } = Object(value) as Record<string, unknown>;
  const isSide = (side: unknown): side is number =>
    Number.isInteger(side) && Number(side) >= 1 && Number(side) <= limits.shownSide;
  if (!isSide(width) || !isSide(height)) return undefined;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) return undefined;
  if (data.length !== 4 * width * height) return undefined;
  return { kind: "pixels", width, height, data: new Uint8ClampedArray(data) };
}

function isSmallPng(bytes: Uint8Array): boolean {
  if (bytes.length < 33 || bytes.length > limits.shownBytes) return false;
  if (pngHead.some((byte, at) => bytes[at] !== byte)) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const isSide = (side: number): boolean => side >= 1 && side <= pngPixels;
  return isSide(view.getUint32(16)) && isSide(view.getUint32(20));
}
