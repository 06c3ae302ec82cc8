import { styleText } from "node:util";
import { Command, Option } from "commander";
import { wholeNumber } from "../../customer/cli/command.ts";
import { defaultCacheDirectory } from "../../node-client/cache-directory.ts";
import { parseServerAddresses } from "../../shared/server-address.ts";
import {
  checkBrowser,
  checkDirectory,
  checkNode,
  checkPort,
  checkServer,
  checkUser,
  type Finding,
} from "./checks.ts";

interface Flags {
  readonly server: string;
  readonly data: string;
  readonly cacheDir: string;
  readonly port: number;
  readonly json?: boolean;
}

const marks = { good: "✓", note: "•", bad: "✗" } as const;
const colours = { good: "green", note: "yellow", bad: "red" } as const;

/** `manyhands doctor`: looks at this machine and its way to the server (SPEC.md [DOCTOR-1]). Sets the process's exit code. */
export function doctorCommand(): Command {
  const env = process.env;
  return new Command("doctor")
    .description("Look at this machine and its way to the server, and say what is wrong")
    .option("--server <url>", "address of the server", env["MANYHANDS_SERVER"] ?? "http://127.0.0.1:9990")
    .option(
      "--data <directory>",
      "where a server here would keep its data",
      env["MANYHANDS_DATA"] ?? "manyhands-data",
    )
    .option(
      "--cache-dir <directory>",
      "cache of a client here",
      env["MANYHANDS_CACHE_DIR"] ?? defaultCacheDirectory(),
    )
    .addOption(
      new Option("--port <n>", "port of a server here")
        .env("MANYHANDS_PORT")
        .default(9990)
        .argParser(wholeNumber(1, 65_535)),
    )
    .option("--json", "write JSON for programs instead of text for people")
    .addHelpText(
      "after",
      "\nOnly the cache is written. Exit status: 0 nothing is in the way, 1 something is.",
    )
    .action(async ({ server, data, cacheDir, port, json }: Flags) => {
      const findings: Finding[] = [
        await checkNode(cacheDir),
        checkUser(),
        checkBrowser(),
        checkDirectory("cache directory", cacheDir),
        checkDirectory("data directory", data),
        await checkPort(port),
        ...(await Promise.all(parseServerAddresses(server).map(checkServer))).flat(),
      ];
      for (const { state, sentence } of findings)
        process.stdout.write(
          json
            ? `${JSON.stringify({ state, sentence })}\n`
            : `${styleText(colours[state], marks[state], { stream: process.stdout })} ${sentence}\n`,
        );
      process.exitCode = findings.some(({ state }) => state === "bad") ? 1 : 0;
    });
}
