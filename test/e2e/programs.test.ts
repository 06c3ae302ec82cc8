import { spawnSync } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connect, program, type Hands } from "../../parallel/index.ts";
import { seededRandom } from "../../shared/random.ts";
import { compilesWasi, compileWasi } from "../support/compile-wasi.ts";
import { availability, clientKinds, startClient } from "../support/browsers/start-client.ts";
import { buildFastTree } from "../support/fasttree.ts";
import { skipped } from "../support/skipped.ts";
import { root, startServerProcess, temporaryDirectory } from "../support/processes.ts";

const fasttree = buildFastTree();
const alignment = join(root, "data", "ls_orchid_aligned.fasta");

describe.skipIf(!compilesWasi).each(clientKinds)(
  `programs on %s${skipped(!compilesWasi, "clang, lld and wasi-libc are not installed")}`,
  (kind) => {
    const { isMissing, why } = availability(kind);
    let directory: string;
    let probe: string;
    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "manyhands-programs-"));
      probe = compileWasi(join(import.meta.dirname, "../support/programs/probe.c"), directory);
    });

    const start = async (): Promise<Hands> => {
      const server = await startServerProcess(await temporaryDirectory());
      await startClient(kind, server);
      const hands = await connect(server.url, { token: server.token });
      onTestFinished(() => hands.close());
      return hands;
    };

    test.skipIf(isMissing)(`[WASI-3] [WASI-4] [WASI-7] are the same, and bounded${why}`, async () => {
      const hands = await start();
      const clock = await hands.map(program(probe, { args: ["clock"] }), [0, 1], { seed: "seed" });
      const randomOf = (index: number): string => {
        const random = seededRandom(`seed/${index}`);
        return Buffer.from(Array.from({ length: 8 }, () => Math.floor(random() * 256))).toString("hex");
      };
      expect(clock).toEqual([0, 1].map((index) => `${randomOf(index)} 946688400 3600`));
      const reference = await hands.put(new TextEncoder().encode("by reference"));
      expect(await hands.map(program(probe, { args: ["cat", "{input}"] }), [reference])).toEqual([
        "by reference",
      ]);
      // Larger than what clients fetch whole.
      const data = Buffer.alloc(20 * 1024 * 1024, "0123456789abcdef");
      const stored = await hands.put(data);
      const at = program(probe, { args: ["at", "{input}", "12345678"] });
      const parts = [stored, stored.slice(5), stored.slice(0, 12_345_680)];
      const expected = [data, data.subarray(5), data.subarray(0, 12_345_680)].map((part) =>
        part.toString("utf8", 12_345_678, 12_345_686),
      );
      expect(await hands.map(at, parts)).toEqual(expected);
      const large = new Uint8Array(2_000_000).fill(120);
      const cat = program(probe, { args: ["cat", "large"], files: { large }, output: "bytes" });
      expect((await hands.map(cat, [0]))[0]).toEqual(large);
      const failing = async (action: string): Promise<unknown> =>
        hands.map(program(probe, { args: [action, "3"] }), [0], { maxAttempts: 1, memoryMb: 64 });
      await expect(failing("fail")).rejects.toThrow(/exit code 3\. Standard error:\nno such particle/);
      await expect(failing("trap")).rejects.toThrow(/was stopped by an error: .*unreachable/i);
      await expect(failing("memory")).rejects.toThrow(
        /exit code 12\. Standard error:\nout of memory at 63 MiB/,
      );
      await expect(failing("fill")).rejects.toThrow(
        /exit code 13\. Standard error:\nNo space left on device/,
      );
      await expect(failing("noise")).rejects.toThrow(/noise 0\n[\s\S]*\[… \d+ bytes …\][\s\S]*noise 199999/);
      const hang = hands.map(program(probe, { args: ["hang"] }), [0], { maxAttempts: 1, timeoutMs: 1000 });
      await expect(Promise.resolve(hang)).rejects.toThrow(/timeout/);
    });

    test.skipIf(isMissing || fasttree.program === undefined)(
      `[WASI-3] FastTree gives the tree of Debian's own build, byte for byte${why || fasttree.why}`,
      async () => {
        const hands = await start();
        const kernel = program(fasttree.program!, { args: ["-nt", "-gtr", "{input}"] });
        const [tree] = await hands.map(kernel, [await hands.put(alignment)]);
        expect(tree).toBe(spawnSync("fasttree", ["-nt", "-gtr", alignment], { encoding: "utf8" }).stdout);
      },
    );
  },
);
