import type { KernelExports } from "../../parallel/index.ts";

type Factors = KernelExports<number, [number, number]>;

/** The two factors of a product of two primes: slow to find. */
const factors: Factors["default"] = (product) => {
  for (let p = 3; p * p <= product; p += 2) if (product % p === 0) return [p, product / p];
  throw new Error(`${product} is no product of two odd primes`);
};
export default factors;

/** Whether they are factors: fast to see, so that every result of a volunteer can be looked at. */
export const check: Factors["check"] = (product, [p, q]) =>
  Number.isInteger(p) && Number.isInteger(q) && p > 1 && q > 1 && p * q === product;
