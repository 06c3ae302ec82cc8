import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sha256Hex } from "../../shared/hash.ts";
import {
  createSigningKey,
  distrustOf,
  isSignedBy,
  publicFileOf,
  readSigningKey,
  readTrustedKeys,
} from "../../signing/keys.ts";
import { temporaryDirectory } from "../support/processes.ts";

const kernel = sha256Hex(new TextEncoder().encode("export default x => x"));
const otherKernel = sha256Hex(new Uint8Array([1]));

async function keyOf(name: string): Promise<string> {
  const file = join(await temporaryDirectory(), "key");
  createSigningKey(file, name);
  return file;
}

describe("[SIGN-1] a signature", () => {
  test("is of one kernel, one name and one key", async () => {
    const ada = readSigningKey(await keyOf("Ada Lovelace"));
    const signature = ada.sign(kernel);
    expect(signature).toMatchObject({ key: ada.key, name: "Ada Lovelace" });
    expect([signature.key.length, signature.value.length]).toEqual([43, 86]);
    expect(isSignedBy(kernel, signature)).toBe(true);
    const eve = readSigningKey(await keyOf("Eve"));
    for (const wrong of [
      { ...signature, name: "Eve" },
      { ...signature, key: eve.key },
      { ...signature, value: eve.sign(kernel).value },
      { ...signature, value: "" },
      { ...signature, key: "no key" },
    ])
      expect(isSignedBy(kernel, wrong)).toBe(false);
    expect(isSignedBy(otherKernel, signature)).toBe(false);
    expect(ada.sign(kernel)).toEqual(signature);
  });
});

describe("[SIGN-2] trust", () => {
  test("is of the keys in the file, whatever a signer calls itself", async () => {
    const [first, second] = [await keyOf("Ada"), await keyOf("Bob")];
    const file = `${first}.trusted`;
    const keys = await Promise.all([first, second].map((each) => readFile(publicFileOf(each), "utf8")));
    await writeFile(file, `\uFEFF# of our lab\r\n\r\n${keys.join("\r\n")}`);
    const trusted = readTrustedKeys(file);
    expect(trusted.map(({ name }) => name)).toEqual(["Ada", "Bob"]);
    const reason = (signature?: Parameters<typeof distrustOf>[2]): string | undefined =>
      distrustOf(trusted, kernel, signature);
    expect(reason(readSigningKey(first).sign(kernel))).toBeUndefined();
    expect(reason(readSigningKey(second).sign(kernel))).toBeUndefined();
    expect(reason()).toMatch(/not signed; this client runs only kernels signed by Ada, Bob/);
    expect(reason(readSigningKey(await keyOf("Ada")).sign(kernel))).toMatch(/a key that is not trusted here/);
    expect(reason(readSigningKey(first).sign(otherKernel))).toMatch(/signature of the kernel is wrong/);
  });
});

describe("[SIGN-3] key files", () => {
  test("are readable by their owner alone, and never written over", async () => {
    const file = await keyOf("Ada");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(publicFileOf(file), "utf8")).toBe(
      `manyhands-trusted-key ${readSigningKey(file).key} Ada\n`,
    );
    const before = await readFile(file, "utf8");
    expect(() => createSigningKey(file, "Eve")).toThrow("never written over");
    expect(await readFile(file, "utf8")).toBe(before);
    await chmod(file, 0o640);
    expect(() => readSigningKey(file)).toThrow(/others \(mode 640\); expected mode 600/);
  });

  test("when FILE.pub is there already, no FILE is left", async () => {
    const file = join(await temporaryDirectory(), "key");
    await writeFile(publicFileOf(file), "mine");
    expect(() => createSigningKey(file, "Ada")).toThrow("key.pub cannot be written");
    await expect(stat(file)).rejects.toThrow("ENOENT");
  });

  test.each(["", "  ", "Ada\nEve", "x".repeat(201)])("no signer is called %j", async (name) => {
    const file = join(await temporaryDirectory(), "key");
    expect(() => createSigningKey(file, name)).toThrow(expect.objectContaining({ code: "BAD_ARGUMENT" }));
    await expect(stat(file)).rejects.toThrow("ENOENT");
  });

  test.each([
    ["nothing", "# only a remark\n", /0 trusted keys/],
    ["a broken key", `manyhands-trusted-key ${"A".repeat(42)} Ada\n`, /no Ed25519 key/],
    ["a key without a name", `manyhands-trusted-key ${"A".repeat(43)}\n`, /Line 1/],
    ["another kind of line", "ssh-ed25519 AAAA ada@lab\n", /Line 1 of .* is no key/],
  ])("a client refuses a file with %s", async (_, text, message) => {
    const file = join(await temporaryDirectory(), "trusted");
    await writeFile(file, text);
    expect(() => readTrustedKeys(file)).toThrow(message);
  });

  test("the file that signs is refused where the public one is expected, and the other way", async () => {
    const file = await keyOf("Ada");
    expect(() => readTrustedKeys(file)).toThrow(/expected keys as in the \.pub file/);
    await chmod(publicFileOf(file), 0o600);
    expect(() => readSigningKey(publicFileOf(file))).toThrow(
      /expected a key that `manyhands key create` made/,
    );
    expect(() => readSigningKey(`${file}.none`)).toThrow(expect.objectContaining({ code: "FILE_FAILED" }));
  });
});
