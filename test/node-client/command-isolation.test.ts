import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const isolation = new URL("../../node-client/commands/isolation.ts", import.meta.url).href;
const tells = `import(${JSON.stringify(isolation)}).then(({ isolationLacks }) => console.log(String(isolationLacks())))`;

/** Output of a client whose `/proc` is covered in part, as in containers and in units of systemd. */
const told = spawnSync(
  "unshare",
  [
    "--mount",
    "sh",
    "-c",
    'mount --bind /proc/sys /proc/sys || exit 3; exec "$0" -e "$1"',
    process.execPath,
    tells,
  ],
  { encoding: "utf8" },
);
const hasBubblewrap = spawnSync("bwrap", ["--unshare-all", "--ro-bind", "/", "/", "true"]).status === 0;
const canTry = told.status === 0 && hasBubblewrap;

test.skipIf(!canTry)(
  `[COMMAND-6] commands are not isolated where bubblewrap can have no /proc${canTry ? "" : " (needs Linux, root and bubblewrap)"}`,
  () => {
    expect(told.stdout).toContain("bubblewrap does not work here: bwrap: Can't mount proc");
  },
);
