import { open, type FileHandle } from "node:fs/promises";
import { bytesOfMode, headerBytes, MrcError, parseMrcHeader, type MrcHeader } from "./mrc-header.ts";
import { decodeDensities, type Mrc } from "./mrc.ts";

/** Bytes of one read; whole samples in every mode. */
const pieceBytes = 1024 ** 2;

/** An MRC file whose images are read on demand, so that memory does not grow with the file. Refusals name the file. */
export class MrcFile {
  readonly path: string;
  readonly header: MrcHeader;
  /** Bytes after the last sample that the header announces. */
  readonly excessBytes: number;
  readonly #handle: FileHandle;

  private constructor(path: string, header: MrcHeader, excessBytes: number, handle: FileHandle) {
    this.path = path;
    this.header = header;
    this.excessBytes = excessBytes;
    this.#handle = handle;
  }

  /** @throws MrcError */
  static async open(path: string): Promise<MrcFile> {
    const handle = await open(path);
    try {
      const { size } = await handle.stat();
      const { bytesRead, buffer } = await handle.read(new Uint8Array(headerBytes), 0, headerBytes, 0);
      const header = named(path, () => parseMrcHeader(buffer.subarray(0, bytesRead), size));
      const [columns, rows, sections] = header.dimensions;
      const samples = columns * rows * sections * bytesOfMode[header.mode];
      return new MrcFile(path, header, size - headerBytes - header.extendedBytes - samples, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Reads `count` sections, from section `first` (from 0) on, into `out`. @throws MrcError */
  async read(first: number, count: number, out: Float32Array): Promise<void> {
    const { header } = this;
    const area = header.dimensions[0] * header.dimensions[1];
    const width = bytesOfMode[header.mode];
    const start = headerBytes + header.extendedBytes + first * area * width;
    const samples = pieceBytes / width;
    const piece = new Uint8Array(Math.min(pieceBytes, count * area * width));
    for (let at = 0; at < count * area; at += samples) {
      const part = out.subarray(at, Math.min(at + samples, count * area));
      const bytes = piece.subarray(0, part.length * width);
      await this.#fill(bytes, start + at * width);
      decodeDensities(header, bytes, part);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #fill(bytes: Uint8Array, position: number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await this.#handle.read(bytes, at, bytes.length - at, position + at);
      if (bytesRead === 0)
        throw new MrcError(`${this.path}: cut off while it was read, at byte ${position + at}`);
      at += bytesRead;
    }
  }
}

/** Reads a whole file. @throws MrcError */
export async function readMrcFile(path: string): Promise<Mrc> {
  const file = await MrcFile.open(path);
  try {
    const [columns, rows, sections] = file.header.dimensions;
    const data = new Float32Array(columns * rows * sections);
    await file.read(0, sections, data);
    return { header: file.header, data };
  } finally {
    await file.close();
  }
}

/** Runs `work` on a file; an error of it names the file. */
export function named<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof MrcError ? new MrcError(`${path}: ${error.message}`) : error;
  }
}
