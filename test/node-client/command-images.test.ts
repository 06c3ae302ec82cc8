import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { readAllowedCommands, type AllowedCommand } from "../../node-client/commands/allowed.ts";
import { placeIn, provideImages } from "../../node-client/commands/images.ts";
import { hasPodman, makeImageFiles, withoutPodman } from "../support/image-files.ts";
import { temporaryDirectory } from "../support/processes.ts";
import { isWindows, skipped } from "../support/skipped.ts";

const view = ["--ro-bind", "/", "/", "--proc", "/proc"];
const hasBubblewrap = spawnSync("bwrap", ["--unshare-all", ...view, "true"]).status === 0;
const withoutBubblewrap = skipped(!hasBubblewrap, "bubblewrap is not installed, or does not work");
const { PATH } = process.env;

let directory: string;
let image: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "manyhands-test-"));
  image = join(directory, "image");
  if (hasBubblewrap) makeImageFiles(image);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(() => {
  process.env["PATH"] = PATH;
});

/** The commands of a file that names images. */
async function provided(entries: Record<string, unknown>): Promise<AllowedCommand[]> {
  const file = join(directory, "commands.json");
  writeFileSync(file, JSON.stringify(entries));
  const options = { cacheDirectory: join(directory, "cache"), log: () => undefined };
  return provideImages(readAllowedCommands(file), options);
}

const sh = (named: string, path = "/bin/sh"): Record<string, unknown> => ({ sh: { path, image: named } });

test.skipIf(isWindows)("[COMMAND-9] links of an image are followed inside of it", async () => {
  const root = join(await temporaryDirectory(), "root");
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  writeFileSync(join(root, "usr/bin/env"), "");
  const links = {
    bin: "/usr/bin",
    "usr/bin/up": "../../../../usr/bin/env",
    loop: "loop",
    none: "/etc/passwd",
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
  expect(placeIn(root, "/bin/env")).toBe(join(root, "usr/bin/env"));
  expect(placeIn(root, "/bin/../bin/up")).toBe(join(root, "usr/bin/env"));
  for (const path of ["/loop", "/none", "/usr/none/env"]) expect(placeIn(root, path)).toBeUndefined();
});

test.skipIf(!hasBubblewrap)(
  `[COMMAND-9] images that are not there are refused, with what to do${withoutBubblewrap}`,
  async () => {
    await expect(provided(sh("--all"))).rejects.toThrow(/sh\.image: expected the name of a container image/);
    await expect(provided(sh(join(directory, "none")))).rejects.toThrow(
      /sh: the image .*none is no directory; expected one with the files of an image/,
    );
    await expect(provided(sh(image, "/usr/bin/no-such"))).rejects.toThrow(
      /sh: \/usr\/bin\/no-such of the image .* cannot be found/,
    );
    await expect(provided(sh(image, "/etc/image"))).rejects.toThrow(/is not executable|is no program/);
    const [{ files }] = (await provided(sh(image))) as [AllowedCommand];
    expect(files).toEqual({ root: image, env: {} });
    const tools = join(directory, "tools");
    mkdirSync(tools);
    for (const name of ["bwrap", "true"]) symlinkSync(join("/usr/bin", name), join(tools, name));
    process.env["PATH"] = tools;
    await expect(provided(sh("localhost/none"))).rejects.toThrow(/Neither podman nor docker is installed/);
    process.env["PATH"] = join(directory, "none");
    await expect(provided(sh(image))).rejects.toThrow(/need bubblewrap, but bubblewrap \(bwrap\) is not/);
  },
);

test.skipIf(!hasBubblewrap || !hasPodman)(
  `[COMMAND-9] an image that podman lacks is not pulled${withoutBubblewrap || withoutPodman}`,
  async () => {
    await expect(provided(sh("localhost/manyhands-none:1"))).rejects.toThrow(
      /localhost\/manyhands-none:1 is not on this machine\. Run "podman pull localhost\/manyhands-none:1"/,
    );
  },
);

test.skipIf(!hasBubblewrap)(
  `[COMMAND-9] copies that no client has used for a month are removed${withoutBubblewrap}`,
  async () => {
    const images = join(directory, "cache", "images");
    mkdirSync(join(images, "old"), { recursive: true, mode: 0o500 });
    mkdirSync(join(images, "new"));
    const then = Date.now() / 1000 - 31 * 24 * 3600;
    utimesSync(join(images, "old"), then, then);
    await provided(sh(image));
    expect(existsSync(join(images, "new"))).toBe(true);
    expect(readdirSync(images)).not.toContain("old");
  },
);
