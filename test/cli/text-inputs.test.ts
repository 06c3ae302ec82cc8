import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { readInputs } from "../../customer/cli/input-file.ts";
import { readLines, readText } from "../../customer/cli/read-text.ts";
import { launcher, temporaryDirectory, until } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";

const utf16 = (text: string, isBig = false): Buffer => {
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
  return isBig ? bytes.swap16() : bytes;
};
const mark = "\ufeff";

async function read(name: string, content: string | Buffer): Promise<unknown[]> {
  const file = join(await temporaryDirectory(), name);
  await writeFile(file, content);
  const values: unknown[] = [];
  for await (const value of await readInputs(file)) values.push(value);
  return values;
}

describe("[TEXT-1] inputs are read as other programs write them", () => {
  it.each([
    ["no line break at the end", "1\n2"],
    ["a byte order mark", `${mark}1\n2\n`],
    ["a mark and a blank line", `${mark}\n1\n2\n`],
    ["CRLF", "1\r\n2\r\n"],
    ["blank lines and blanks around", "\n 1 \n\r\n\t2\n\n\n"],
    ["UTF-16 of Windows", utf16("1\r\n2\r\n")],
    ["UTF-16, highest byte first", utf16("1\n2\n", true)],
  ])("lines with %s", async (_, content) => {
    expect(await read("inputs.ndjson", content)).toEqual([1, 2]);
  });

  it.each([
    ["a byte order mark and CRLF", `${mark}[1,\r\n2]\r\n`],
    ["UTF-16", utf16("[1, 2]\r\n")],
  ])("an array with %s", async (_, content) => {
    expect(await read("inputs.json", content)).toEqual([1, 2]);
    expect(await read("INPUTS.JSON", content)).toEqual([1, 2]);
  });

  it("a line ends at a line break, not at a separator inside a text", async () => {
    expect(await read("inputs.ndjson", '"a\u2028b\u0085c"\n')).toEqual(["a\u2028b\u0085c"]);
  });

  it("a mark and a letter may come in pieces", async () => {
    const bytes = Buffer.from(`${mark}"ä"\n`);
    const chunks = (async function* () {
      for (const byte of bytes) yield Uint8Array.of(byte);
    })();
    const lines = [];
    for await (const line of readLines({ name: "a pipe", chunks })) lines.push(line);
    expect(lines).toEqual([{ line: '"ä"', number: 1 }]);
  });

  it.each([
    ["latin.ndjson", Buffer.from('"\xe4"\n', "latin1"), /latin\.ndjson is not text in UTF-8.*iconv/],
    ["unmarked.ndjson", Buffer.from("1\n", "utf16le"), /UTF-16 without a mark/],
    ["packed.ndjson.gz", Buffer.from([0x1f, 0x8b, 8, 0]), /compressed with gzip.*gunzip/],
    ["table.csv", "a;b\n1;2\n", /table\.csv is a table/],
    ["excel.ndjson", `${mark}name;score\r\nx;1\r\n`, /line 1 of .*looks like a table/],
    ["comma.ndjson", "1\n2,\n", /line 2 of .*not separated by commas/],
    ["array.ndjson", "[\n1,\n2\n]\n", /line 1 of .*belongs in a file that ends in \.json/],
    ["comma.json", "[1, 2,]", /comma\.json is not JSON/],
    ["form.ndjson", '1\n\n{"$bytes": 5}\n', /line 3 of .*\$bytes/],
    ["form.json", '[1, {"$bytes": 5}]', /item 2 of .*\$bytes/],
  ])("%s is refused by name, with what to do", async (name, content, expected) => {
    await expect(read(name, content)).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
      message: expect.stringMatching(expected),
    });
  });

  it("[WAIT-1] a command whose job was cancelled waits for no further input", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "twice.ts"), "export default (x: number) => 2 * x;\n");
    const server = await startTestServer();
    const where = ["--server", server.url, "--inputs", "-", "--quiet"];
    const child = spawn(process.execPath, [launcher, "map", "twice.ts", ...where], {
      cwd: directory,
      env: { ...process.env, MANYHANDS_TOKEN: server.token },
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = once(child, "close");
    child.stdin.write("1\n");
    const jobs = async () => (await server.api("GET", "/api/jobs")) as unknown as { id: string }[];
    await until(async () => (await jobs()).length > 0);
    await server.api("POST", `/api/jobs/${(await jobs())[0]!.id}/cancel`);
    expect(await ended).toEqual([1, null]);
  });

  it("[WAIT-1] a text that has no end is refused", async () => {
    const endless = async function* () {
      for (const piece = Buffer.alloc(2 ** 22, "7"); ;) yield piece;
    };
    const reading = readLines({ name: "a pipe", chunks: endless() }).next();
    await expect(reading).rejects.toThrow(/^line 1 of a pipe has more than \d+ characters/);
    const text = readText({ name: "a pipe", chunks: endless() });
    await expect(text).rejects.toThrow(/^a pipe has more than \d+ characters/);
  });

  it("a broken line is refused with its number", async () => {
    const file = join(import.meta.dirname, "..", "support", "data", "broken.ndjson");
    const values: unknown[] = [];
    const reading = (async () => {
      for await (const value of await readInputs(file)) values.push(value);
    })();
    await expect(reading).rejects.toThrow(/^line 2 of .*broken\.ndjson is not JSON/);
    expect(values).toHaveLength(1);
  });

  it("over HTTP as well: mark, CRLF, blank lines, no line break at the end; other encodings are refused", async () => {
    const server = await startTestServer();
    const job = await server.api("POST", "/api/jobs", { kernel: { source: "export default (x) => x" } });
    const post = (body: string | Buffer): Promise<Response> =>
      fetch(`${server.url}/api/jobs/${job["id"]}/tasks`, {
        method: "POST",
        headers: { authorization: `Bearer ${server.token}`, "content-type": "application/x-ndjson" },
        body: new Uint8Array(Buffer.from(body)),
      });
    const taken = await post(`${mark}{"input": 1}\r\n\r\n \n{"input": 2}`);
    expect(await taken.json()).toMatchObject({ added: 2 });
    expect(await (await post(`${mark}\r\n{"input": 3}\n`)).json()).toMatchObject({ added: 1 });
    const refused = await post(utf16('{"input": 4}\n'));
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      message: expect.stringMatching(/^Line 1: .*JSON in UTF-8/),
    });
  });
});
