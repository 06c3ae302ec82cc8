/** Sections of a module, https://webassembly.github.io/spec/core/binary/modules.html. */
const memorySection = 5;
const headerBytes = 8;
const pageBytes = 65_536;
const pagesPerMiB = 16;

/**
 * A module whose own memory grows to at most so many bytes, as if the program had been built with `--max-memory`.
 * @throws Error when the memory is larger from the start
 */
export function withMemoryLimit(module: Uint8Array, limitBytes: number): Uint8Array {
  const reader = { at: headerBytes };
  while (reader.at < module.length) {
    const start = reader.at;
    const id = module[reader.at++];
    const size = readNumber(module, reader);
    const end = reader.at + size;
    if (id === memorySection) {
      const section = limitedSection(module.subarray(reader.at, end), Math.floor(limitBytes / pageBytes));
      return joined([module.subarray(0, start), section, module.subarray(end)]);
    }
    reader.at = end;
  }
  return module;
}

/** The section of a module's memories: their number, then flags, pages at the start and, with the lowest flag, most pages of each. */
function limitedSection(content: Uint8Array, mostPages: number): Uint8Array {
  const reader = { at: 0 };
  const count = readNumber(content, reader);
  if (count !== 1) return joined([[memorySection], numberBytes(content.length), content]);
  const flags = readNumber(content, reader);
  const atStart = readNumber(content, reader);
  const most = flags & 1 ? Math.min(readNumber(content, reader), mostPages) : mostPages;
  if (atStart > mostPages)
    throw new Error(
      `The program has ${Math.ceil(atStart / pagesPerMiB)} MiB of memory from the start, and a task at most ${Math.floor(mostPages / pagesPerMiB)} MiB (memoryMb).`,
    );
  const memory = joined([[1, flags | 1], numberBytes(atStart), numberBytes(most)]);
  return joined([[memorySection], numberBytes(memory.length), memory]);
}

/** Reads an unsigned LEB128 number. */
function readNumber(bytes: Uint8Array, reader: { at: number }): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[reader.at++] ?? 0;
    value += (byte & 0x7f) * Math.pow(2, shift);
    if (byte < 0x80) return value;
  }
}

function numberBytes(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 0x80);
  }
}

function joined(parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
