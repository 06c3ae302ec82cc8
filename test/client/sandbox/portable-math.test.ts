import { expect, test } from "vitest";
import { wasmBase64 } from "../../../shared/client/sandbox/portable/binary.ts";

declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: object };
};

const module = new WebAssembly.Module(Buffer.from(wasmBase64, "base64"));
const { memory: _, ...portable } = new WebAssembly.Instance(module).exports as Record<
  string,
  (...values: number[]) => number
>;
const engine = Math as unknown as typeof portable;
const two = new Set(["atan2", "hypot", "pow"]);

const special = [0, -0, 1, -1, 0.5, -0.5, 2, -2, 3, Infinity, -Infinity, NaN, 5e-324, Number.MAX_VALUE];
const inputs = Array.from({ length: 4000 }, (_, i) => {
  return (((i * 0.6180339887498949) % 1) - 0.5) * 2 * [1, 30, 700][i % 3]!;
});

/** Distance in units of the last place of `b`. */
function ulps(a: number, b: number): number {
  if (Object.is(a, b)) return 0;
  const bits = new DataView(new ArrayBuffer(8));
  const order = (value: number): bigint => {
    bits.setFloat64(0, value);
    const signed = bits.getBigInt64(0);
    return signed < 0n ? -(signed & 0x7fffffffffffffffn) : signed;
  };
  const difference = order(a) - order(b);
  return Number(difference < 0n ? -difference : difference);
}

test.each(Object.keys(portable))(
  "[BITS-1] %s is within 2 units of the engine's, and equal at special values",
  (name) => {
    const mine = portable[name]!;
    const theirs = engine[name]!;
    if (two.has(name))
      for (const x of special)
        for (const y of special) expectEqual(mine(x, y), theirs(x, y), `${name}(${x}, ${y})`);
    else for (const x of special) expectEqual(mine(x), theirs(x), `${name}(${x})`);
    const worst = inputs.map((x, i) => {
      const values = two.has(name) ? [x, inputs[(i * 7 + 1) % inputs.length]!] : [x];
      return ulps(mine(...values), theirs(...values));
    });
    expect(Math.max(...worst)).toBeLessThanOrEqual(2);
  },
);

/** Of values that are exact: a limit, a zero, a NaN. Others may differ in their last place. */
function expectEqual(mine: number, theirs: number, of: string): void {
  const exact = Number.isNaN(theirs) || !Number.isFinite(theirs) || Number.isInteger(theirs);
  if (exact) expect(mine, of).toBe(theirs);
  else expect(ulps(mine, theirs), of).toBeLessThanOrEqual(2);
}
