/**
 * Kernels, and the outputs that portable sandboxes must compute from them on every engine, bit for bit.
 */
export const portableKernel = `
  const one = ["acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "cos", "cosh", "exp", "expm1", "log", "log10", "log1p", "log2",
    "sin", "sinh", "tan", "tanh"];
  const two = ["atan2", "hypot", "pow"];
  const special = [0, -0, 1, -1, 0.5, -0.5, 2, -2, 3, Infinity, -Infinity, NaN, 5e-324, 1.7976931348623157e308, 1e22, 710, -746, 1e-9];
  /** FNV-1a over the words of the results. */
  function digest(results) {
    const words = new Uint32Array(new Float64Array(results).buffer);
    let hash = 0x811c9dc5;
    results.forEach((result, i) => {
      // The bits of a NaN are an engine's own; encoded outputs have one NaN.
      const [low, high] = result !== result ? [0, 0x7ff80000] : [words[2 * i], words[2 * i + 1]];
      hash = Math.imul(Math.imul(hash ^ low, 0x01000193) ^ high, 0x01000193);
    });
    return (hash >>> 0).toString(16);
  }
  export default (_, ctx) => {
    const inputs = [...special];
    for (let i = 0; i < 3000; i++) inputs.push(((ctx.random() - 0.5) * 2) * [1, 30, 800, 1e6][i % 4]);
    const digests = {};
    for (const name of one) digests[name] = digest(inputs.map((x) => Math[name](x)));
    for (const name of two)
      digests[name] = digest(special.flatMap((x) => special.map((y) => Math[name](x, y)))) + " " +
        digest(inputs.map((x, i) => Math[name](x, inputs[(i * 7 + 1) % inputs.length])));
    return digests;
  };`;

export const portableDigests: Readonly<Record<string, string>> = {
  acos: "7dfb274d",
  acosh: "90bba47c",
  asin: "bb900fe3",
  asinh: "bd021c9a",
  atan: "50659ff0",
  atan2: "c727a475 b9531177",
  atanh: "62aa447b",
  cbrt: "f15cab33",
  cos: "11e53d5a",
  cosh: "30bbe28b",
  exp: "fcfcb6b2",
  expm1: "da927abc",
  hypot: "b0dda81e 591797a5",
  log: "bd924d4",
  log10: "d38b436a",
  log1p: "7c84fc04",
  log2: "cf81897b",
  pow: "bf4b1608 eab2a30",
  sin: "ff5019ea",
  sinh: "db3c2cde",
  tan: "82611706",
  tanh: "5811dbb9",
};

/** Values of the language that depend on the machine's language and time zone. */
export const localKernel = `
  const tried = (run) => { try { return run(); } catch (error) { return error.message.split(" ")[0]; } };
  export default () => [
    typeof Intl, (1234.5).toLocaleString(), "ä".localeCompare("z"), "i".toLocaleUpperCase("tr"),
    new Date(2020, 5, 1, 12).getTime(), new Date("2020-06-01T12:00").getTime(), new Date("2020-06-01").getTime(),
    new Date("2020-06-01T12:00+02:00").getHours(), new Date(0).toLocaleString(), String(new Date(0)), new Date(0).getTimezoneOffset(),
    new Date(new Date(5)).getTime(), new Date(0) instanceof Date, Date.UTC(2020, 0),
    new Date("Jun 1 2020 12:00").getTime(), "getYear" in new Date(0),
    tried(() => Math.random()), tried(() => crypto.randomUUID()),
    tried(() => Date.now()), tried(() => new Date()), tried(() => Date()), tried(() => new (new Date(0).constructor)()),
    tried(() => performance.now()), tried(() => performance.timeOrigin), tried(() => new Event("a").timeStamp),
    Math.hypot(3, 4, 12), Math.hypot(), Math.hypot(-2),
  ];`;

export const localValues = [
  "undefined",
  "1234.5",
  1,
  "I",
  1591012800000,
  1591012800000,
  1590969600000,
  10,
  "1970-01-01T00:00:00.000Z",
  "Thu, 01 Jan 1970 00:00:00 GMT",
  0,
  5,
  true,
  1577836800000,
  1591012800000,
  false,
  "Math.random",
  "crypto.randomUUID",
  ...Array<string>(7).fill("A"),
  13,
  0,
  2,
];

/** Modules with one function: plain SIMD whose constant has the bytes of a relaxed instruction, and a relaxed instruction. */
const simdModule = (code: number[]): number[] => {
  const body = [0, ...code, 0x0b];
  const section = [1, body.length, ...body];
  return [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10, section.length, ...section];
};
const constant = [0xfd, 12, 0xfd, 0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
export const plainSimd = simdModule(constant);
/** i8x16.relaxed_swizzle of two constants. */
export const relaxedSimd = simdModule([...constant, ...constant, 0xfd, 0x80, 2]);

export const simdKernel = `
  const tried = async (run) => { try { await run(); return "made"; } catch (error) { return error.message.slice(0, 28); } };
  export default async () => {
    const outcomes = [];
    const Inherited = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])).constructor;
    for (const bytes of [${JSON.stringify(plainSimd)}, ${JSON.stringify(relaxedSimd)}].map((each) => new Uint8Array(each)))
      outcomes.push(
        await tried(() => new WebAssembly.Module(bytes)),
        await tried(() => WebAssembly.compile(bytes.buffer)),
        await tried(() => WebAssembly.instantiate(bytes)),
        await tried(() => new Inherited(bytes)),
      );
    return outcomes;
  };`;
export const simdOutcomes = [
  ...Array<string>(4).fill("made"),
  ...Array<string>(4).fill("The module uses relaxed SIMD"),
];
