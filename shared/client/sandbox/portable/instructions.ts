/**
 * Whether a WebAssembly module has an instruction of relaxed SIMD. The search steps from instruction to instruction (WebAssembly core
 * specification 3.0, §5.4), because constants may contain the same bytes.
 */
export function hasRelaxedSimd(module: Uint8Array): boolean {
  const reader = new Reader(module, 8);
  while (reader.at < module.length) {
    const section = reader.byte();
    const end = reader.unsigned() + reader.at;
    if (section === codeSection) return hasRelaxed(reader);
    reader.at = end;
  }
  return false;
}

const codeSection = 10;
const firstRelaxed = 0x100;

function hasRelaxed(reader: Reader): boolean {
  for (let functions = reader.unsigned(); functions > 0; functions--) {
    const end = reader.unsigned() + reader.at;
    for (let runs = reader.unsigned(); runs > 0; runs--) {
      reader.unsigned();
      reader.type();
    }
    while (reader.at < end) {
      const opcode = reader.byte();
      if (opcode < 0xfb) plain(reader, opcode);
      else {
        const second = reader.unsigned();
        if (opcode === 0xfd && second >= firstRelaxed) return true;
        prefixed(reader, opcode, second);
      }
    }
    // A module in which this is another place is invalid, and the engine refuses it.
    reader.at = end;
  }
  return false;
}

/** Skips the immediates of an instruction with a one-byte opcode; instructions that are not listed have none. */
function plain(reader: Reader, opcode: number): void {
  if (opcode >= 0x28 && opcode <= 0x3e) return reader.address();
  if (opcode >= 0x20 && opcode <= 0x26) return reader.skip(1);
  switch (opcode) {
    case 0x02: // block
    case 0x03: // loop
    case 0x04: // if
    case 0x06: // try
      return reader.type();
    case 0x07: // catch
    case 0x08: // throw
    case 0x09: // rethrow
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x10: // call
    case 0x12: // return_call
    case 0x14: // call_ref
    case 0x15: // return_call_ref
    case 0x18: // delegate
    case 0x3f: // memory.size
    case 0x40: // memory.grow
    case 0x41: // i32.const
    case 0x42: // i64.const
    case 0xd0: // ref.null
    case 0xd2: // ref.func
    case 0xd5: // br_on_null
    case 0xd6: // br_on_non_null
      return reader.skip(1);
    case 0x0e: // br_table
      return reader.skip(reader.unsigned() + 1);
    case 0x11: // call_indirect
    case 0x13: // return_call_indirect
      return reader.skip(2);
    case 0x1c: // select with types
      for (let types = reader.unsigned(); types > 0; types--) reader.type();
      return;
    case 0x1f: // try_table
      reader.type();
      for (let catches = reader.unsigned(); catches > 0; catches--) reader.skip(reader.byte() < 2 ? 2 : 1);
      return;
    case 0x43: // f32.const
      reader.at += 4;
      return;
    case 0x44: // f64.const
      reader.at += 8;
  }
}

/** Counts of immediates of the instructions behind the prefixes 0xfc and 0xfb, by their second opcode. */
const bulkNumbers = [0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 2, 1, 2, 1, 1, 1];
const heapNumbers = [1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 2, 1, 1, 1, 1, 0, 1, 2, 2, 2, 1, 1, 1, 1];

function prefixed(reader: Reader, prefix: number, second: number): void {
  if (prefix === 0xfc) return reader.skip(bulkNumbers[second] ?? 0);
  if (prefix === 0xfb) {
    const isCastBranch = second === 24 || second === 25;
    if (isCastBranch) reader.at += 1;
    return reader.skip(isCastBranch ? 3 : (heapNumbers[second] ?? 0));
  }
  if (prefix === 0xfe) {
    if (second === 3) reader.at += 1;
    else reader.address();
    return;
  }
  if (second <= 11 || (second >= 84 && second <= 93)) reader.address();
  if (second === 12 || second === 13) reader.at += 16;
  if ((second >= 21 && second <= 34) || (second >= 84 && second <= 91)) reader.at += 1;
}

class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  byte(): number {
    return this.#bytes[this.at++] ?? 0;
  }

  /** An unsigned LEB128 number. */
  unsigned(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  /** Skips LEB128 numbers, signed or unsigned. */
  skip(numbers: number): void {
    for (; numbers > 0; numbers--) while (this.byte() >= 128);
  }

  /** Skips a value type or block type. 0x63 and 0x64 are references, and a heap type follows. */
  type(): void {
    const first = this.#bytes[this.at];
    this.skip(first === 0x63 || first === 0x64 ? 2 : 1);
  }

  /** Skips a memory argument: alignment, index of the memory if bit 6 of the alignment is set, and offset. */
  address(): void {
    this.skip(this.unsigned() & 64 ? 2 : 1);
  }
}
