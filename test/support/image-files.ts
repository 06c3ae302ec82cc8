import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { skipped } from "./skipped.ts";

const programs = "sh cat env grep head ls setsid sleep sort tail touch".split(" ");

/** Whether images can be made, and the end of the names of tests that make one. */
export const hasPodman = spawnSync("podman", ["image", "ls"], { stdio: "ignore" }).status === 0;
export const withoutPodman = skipped(!hasPodman, "podman is not installed, or does not work");

/** Makes the files of an image in a directory: some programs of this machine with their libraries, in places of their own. */
export function makeImageFiles(root: string): void {
  for (const name of ["opt/lab", "etc", "srv", "usr/lib"]) mkdirSync(join(root, name), { recursive: true });
  for (const name of programs) {
    const file = ["/usr/bin", "/bin"].map((folder) => join(folder, name)).find((path) => existsSync(path))!;
    cpSync(realpathSync(file), join(root, "opt/lab", name));
    for (const library of librariesOf(file)) {
      mkdirSync(join(root, dirname(library)), { recursive: true });
      cpSync(realpathSync(library), join(root, library));
    }
  }
  symlinkSync("/opt/lab", join(root, "bin"));
  writeFileSync(join(root, "etc/image"), "files of the image\n");
  writeFileSync(join(root, "usr/lib/own"), "own\n");
}

function librariesOf(program: string): string[] {
  const { stdout } = spawnSync("ldd", [program], { encoding: "utf8" });
  return [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1]!);
}

/** Gives podman an image of a directory; its programs have `LAB=image` and a `PATH`. */
export function importImage(root: string, name: string): void {
  const archive = `${root}.tar`;
  execFileSync("tar", ["-c", "-f", archive, "-C", root, "."]);
  const changes = ["ENV LAB=image", "ENV HOME=/root", "ENV PATH=/opt/lab"];
  execFileSync("podman", ["import", ...changes.flatMap((change) => ["--change", change]), archive, name], {
    stdio: "ignore",
  });
}
