import type { PlantedFault } from "./fault.ts";
import { groups, bits, memory, signing } from "./tests.ts";

/** Faults of values on the wire, of signatures and of the system. */
export const valuesFaults: readonly PlantedFault[] = [
  {
    name: "an output in a blob comes into its group as a reference",
    file: "shared/wire/group-input.ts",
    find: "  reference[2] = extensions.held;\n",
    replace: "",
    tests: groups,
  },
  {
    name: "outputs in blobs do not come to the kernel of their group",
    file: "shared/wire/codec.ts",
    find: "items[at] = decodeValue(await fetch(blob));",
    replace: "void decodeValue(await fetch(blob));",
    tests: groups,
  },
  {
    name: "a group has no room for outputs of the greatest depth",
    file: "shared/wire/messagepack-walk.ts",
    find: "depth: 201",
    replace: "depth: 200",
    tests: groups,
  },
  {
    name: "customers can name blobs of others in a group of their own",
    file: "shared/wire/value-forms.ts",
    find: "if (type === extensions.reference) return",
    replace: "if (type === extensions.reference || type === extensions.held) return",
    tests: groups,
  },
  {
    name: "a command that a script left in the background ends with npm",
    file: "bin/manyhands.js",
    find: "disown)\\b/.test(script)) return;",
    replace: "disown)\\b/.test(script)) void 0;",
    tests: ["test/cli/npx.test.ts"],
  },
  {
    name: "a command of a program that npm runs ends with npm",
    file: "bin/manyhands.js",
    find: "if (!event || !/\\bmanyhands\\b/.test(script)) return;",
    replace: "if (!event) return;",
    tests: ["test/cli/npx.test.ts"],
  },
  {
    name: "a signature counts for every kernel",
    file: "signing/keys.ts",
    find: "return isSignedBy(kernel, signature) ? undefined",
    replace: "return signature.value !== '' ? undefined",
    tests: signing,
  },
  {
    name: "the NaNs of outputs keep the bits that the engine gave them",
    file: "shared/wire/value-encoder.ts",
    find: 'if (this.#oneNaN && kind[0] === "F")',
    replace: "if (false)",
    tests: bits,
  },
  {
    name: "a client never collects what large arrays left",
    file: "system/garbage.ts",
    find: "if (bytes < largeBytes) return;",
    replace: "if (bytes >= 0) return;",
    tests: memory,
  },
  {
    name: "programs refuse replies with more than they know",
    file: "shared/wire/rest/jobs.ts",
    find: "export const jobSchema = v.object({",
    replace: "export const jobSchema = v.strictObject({",
    tests: ["test/customer/other-versions.test.ts"],
  },
];
