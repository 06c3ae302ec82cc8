// The discrete transform's order of frequencies: 0 … n/2, then −n/2 … −1.

/** Index of frequency `k`, −n/2 … n/2, in a transform of `n` samples, any even number. */
export function wrapped(k: i32, n: u32): u32 {
  return <u32>k + ((<u32>(k >> 31)) & n);
}
