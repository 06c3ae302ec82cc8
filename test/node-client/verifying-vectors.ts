import { DataReference } from "../../shared/data-reference.ts";
import { sha256Hex } from "../../shared/hash.ts";
import type { KernelVector } from "../contract/kernel-vectors.ts";

const bytes = new Uint8Array([3, 5]);
const reference = new DataReference(sha256Hex(bytes), bytes.length);

const factors = `
  export default () => { throw new Error("the kernel was called"); };
  export const check = (n, [p, q]) => p * q === n;
  export const suspicious = ([p]) => p === 1;`;

/** Calls of a kernel module's verifying functions, which node clients alone get. */
export const verifyingVectors: readonly KernelVector[] = [
  {
    name: "[VERIFY-8] a correct output passes its check, and the kernel is not called",
    source: factors,
    input: 15,
    call: { name: "inspect", value: [3, 5] },
    expect: { state: "done", output: { correct: true, suspicious: false } },
  },
  {
    name: "[VERIFY-8] a wrong output fails its check, and may be suspicious as well",
    source: factors,
    input: 15,
    call: { name: "inspect", value: [1, 5] },
    expect: { state: "done", output: { correct: false, suspicious: true } },
  },
  {
    name: "[VERIFY-8] a module without check finds nothing wrong",
    source: "export default (x) => x; export const suspicious = async (output) => output > 9;",
    input: 1,
    call: { name: "inspect", value: 10 },
    expect: { state: "done", output: { correct: true, suspicious: true } },
  },
  {
    name: "[VERIFY-8] nothing but true is correct",
    source: "export default (x) => x; export const check = () => 1;",
    input: 1,
    call: { name: "inspect", value: 1 },
    expect: { state: "done", output: { correct: false, suspicious: false } },
  },
  {
    name: "[VERIFY-8] check reads data and logs",
    source: `export default (x) => x;
      export async function check(ref, output, { data, log, ...rest }) {
        const [p, q] = await data(ref);
        log("factors", p, q);
        console.log(Object.keys(rest).length);
        return p * q === output;
      }`,
    input: reference,
    blobs: [bytes],
    call: { name: "inspect", value: 15 },
    expect: { state: "done", output: { correct: true, suspicious: false }, log: ["factors 3 5", "0"] },
  },
  {
    name: "[VERIFY-8] a check that throws fails as a kernel does",
    source: "export default (x) => x; export function check(n, { p }) { return p.q.r === n; }",
    input: 1,
    call: { name: "inspect", value: {} },
    expect: { state: "failed", kind: "error", message: /undefined/, stack: /kernel:/ },
  },
  {
    name: "[VERIFY-8] a module without verifying functions says which are expected",
    source: "export default (x) => x;",
    input: 1,
    call: { name: "inspect", value: 1 },
    expect: { state: "failed", kind: "error", message: /neither `check` nor `suspicious`/ },
  },
  {
    name: "[VERIFY-8] a check that is no function is refused",
    source: "export default (x) => x; export const check = true;",
    input: 1,
    call: { name: "inspect", value: 1 },
    expect: { state: "failed", kind: "error", message: /`check` is boolean/ },
  },
  {
    name: "[VERIFY-8] a check that does not end is terminated",
    source: "export default (x) => x; export function check() { for (;;); }",
    input: 1,
    call: { name: "inspect", value: 1 },
    expect: { state: "hangs" },
  },
  {
    name: "[VERIFY-7] outputs agree when compare says so",
    source: "export default (x) => x; export const compare = (a, b) => Math.abs(a - b) < 0.1;",
    input: 1,
    call: { name: "compare", value: 1.05 },
    expect: { state: "done", output: true },
  },
  {
    name: "[VERIFY-7] outputs disagree when compare says anything else",
    source: "export default (x) => x; export const compare = async () => ({});",
    input: 1,
    call: { name: "compare", value: 1 },
    expect: { state: "done", output: false },
  },
  {
    name: "[VERIFY-7] a module without compare says that it is expected",
    source: "export default (x) => x;",
    input: 1,
    call: { name: "compare", value: 1 },
    expect: { state: "failed", kind: "error", message: /`compare` is undefined/ },
  },
];
