import { expect, onTestFinished, test } from "vitest";
import { Link, links } from "../support/link/link.ts";
import { startOlderServer } from "../support/older-server.ts";
import { startClientProcess } from "../support/processes.ts";
import { startTestServer } from "../support/server.ts";
import { python, PythonProgram, whySkipped } from "./programs.ts";

const program = `
import os
import tempfile
import manyhands
inputs = [[f"particle {index} at {at}" for at in range(6000)] for index in range(12)]
with manyhands.connect() as hands:
    job = hands.map("(lines) => lines.toReversed()", inputs)
    print(job.gather() == [lines[::-1] for lines in inputs])
    mixed = [os.urandom(100_000), "text " * 20_000, 7]
    print(hands.map("(x) => x", mixed).gather() == mixed)
    long = [f"particle {at}" for at in range(200_000)]
    print(hands.map("(lines) => lines.toReversed()", [long]).gather() == [long[::-1]])
    text = "\\n".join(long).encode()
    with tempfile.TemporaryFile() as file:
        file.write(b"# " + text)
        file.seek(0)
        reference = hands.put(file)
    print(bytes(hands.get(reference)) == b"# " + text)
    print(sorted(outcome.index for outcome in job.outcomes(follow=False)) == list(range(12)))
`;

test.skipIf(python === undefined)(
  `[MILES-8] [MILES-9] texts of a customer in Python that is far away travel compressed${whySkipped}`,
  async () => {
    const server = await startTestServer();
    await startClientProcess(server);
    const link = await Link.start(server.url, { ...links.b, upMbitPerS: 20 });
    onTestFinished(() => link.close());
    const variables = { ...process.env, MANYHANDS_SERVER: link.url, MANYHANDS_TOKEN: server.token };
    expect(await new PythonProgram(["-c", program], variables).ends()).toBe("True\n".repeat(5));
    const bytes = 12 * 6000 * 20 + 2 * 200_000 * 16;
    const { up, down } = await link.counts();
    expect(up).toBeLessThan(0.5 * bytes);
    // Some outputs are read twice.
    expect(down).toBeLessThan(0.5 * bytes);
  },
);

const older = `
import manyhands
lines = [f"particle {at}" for at in range(60_000)]
text = "\\n".join(lines).encode()
with manyhands.connect() as hands:
    print(hands.map("(lines) => lines.length", [lines[:6000], lines]).gather() == [6000, 60_000])
    print(bytes(hands.get(hands.put(text))) == text)
`;

test.skipIf(python === undefined)(
  `[MILES-8] an older server behind the same address gets bodies of a customer in Python as they are${whySkipped}`,
  async () => {
    const server = await startTestServer();
    await startClientProcess(server);
    const way = await startOlderServer(server.url);
    const variables = { ...process.env, MANYHANDS_SERVER: way.url, MANYHANDS_TOKEN: server.token };
    expect(await new PythonProgram(["-c", older], variables).ends()).toBe("True\n".repeat(2));
    expect(way.refused()).toBeGreaterThan(1);
  },
);
