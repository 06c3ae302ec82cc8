import type { DataReference } from "../shared/data-reference.ts";
import { limits } from "../shared/limits.ts";
import type { Compute } from "./compute.ts";

/** A stack of images of one size for kernels. */
export interface ImageStack {
  /** 32-bit pixels, image after image, in blobs of `perBlob` images; the last blob has the rest. */
  readonly blobs: readonly DataReference[];
  readonly perBlob: number;
  readonly count: number;
  /** Pixels a side. */
  readonly box: number;
}

/** The bytes of numbers for a blob (all machines that run this are little-endian). */
export function bytesOf(numbers: Float32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

/** Images of `box`² 32-bit pixels in a blob of the size that clients fetch whole and ahead of its task; at least one. */
export function imagesOfBlob(box: number): number {
  return Math.max(1, Math.floor(limits.wholeBytes / (4 * box * box)));
}

/** Images to put. */
interface StackOptions {
  /** Images of a task: a blob has no more, so that tasks read whole blobs. */
  readonly task?: number;
  /** Positions of the images to put, in their order; absent: all. */
  readonly members?: readonly number[];
}

/** Blobs that are copied, hashed and sent at a time, so that the server takes one while the next is made. */
const blobsAtOnce = 3;

/** Puts images where kernels can read them. */
export async function putStack(
  compute: Compute,
  images: Float32Array,
  box: number,
  { task = Infinity, members }: StackOptions = {},
): Promise<ImageStack> {
  const area = box * box;
  const count = members?.length ?? images.length / area;
  const perBlob = Math.min(task, imagesOfBlob(box));
  const blobs: DataReference[] = Array.from({ length: Math.ceil(count / perBlob) });
  const rest = blobs.keys();
  const putRest = async (): Promise<void> => {
    for (const i of rest) {
      const [first, last] = [i * perBlob, (i + 1) * perBlob];
      const part = members
        ? imagesAt(images, box, members.slice(first, last))
        : images.subarray(first * area, last * area);
      blobs[i] = await compute.put(bytesOf(part));
    }
  };
  await Promise.all(Array.from({ length: blobsAtOnce }, putRest));
  return { blobs, perBlob, count, box };
}

/** Copies the images of `members`, in their order, out of images of `box`² pixels. */
function imagesAt(images: Float32Array, box: number, members: readonly number[]): Float32Array {
  const area = box * box;
  const own = new Float32Array(members.length * area);
  members.forEach((member, at) => own.set(images.subarray(member * area, (member + 1) * area), at * area));
  return own;
}

/** The images [start, end) of a stack, in its order. */
export function imagesOf({ blobs, perBlob, box }: ImageStack, start: number, end: number): DataReference[] {
  const bytes = 4 * box * box;
  const first = Math.floor(start / perBlob);
  return blobs.slice(first, Math.ceil(end / perBlob)).map((blob, i) => {
    const at = (first + i) * perBlob * bytes;
    const [from, to] = [Math.max(0, start * bytes - at), Math.min(blob.size, end * bytes - at)];
    return to - from === blob.size ? blob : blob.slice(from, to);
  });
}
