import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { AllowedCommand, ImageFiles } from "./allowed.ts";

/** Places that each isolated command has of its own. */
const ownPlaces = ["/dev", "/proc", "/sys", "/tmp", "/work"];
/** Settings of this machine's network. */
const networkFiles = ["/etc/hosts", "/etc/resolv.conf"];
/** Variables that are those of the run, whatever the image says. */
const ownVariables = ["HOME", "PWD", "TMPDIR"];

/** Arguments of bubblewrap for the files of an image, read-only in place of the system's, and for its environment. */
export function imageView({ reads, writes, network, env }: AllowedCommand, image: ImageFiles): string[] {
  const settings = network ? networkFiles : [];
  const others = [...ownPlaces, ...reads, ...writes, ...settings];
  const variables = Object.entries(image.env).filter(
    ([name]) => !ownVariables.includes(name) && !Object.hasOwn(env, name),
  );
  return [
    ...filesOf(image.root, "", others),
    ...settings.flatMap((path) => ["--ro-bind-try", path, path]),
    ...variables.flatMap(([name, value]) => ["--setenv", name, value]),
  ];
}

/** The files of a directory of an image, as a whole where nothing else has its place below. */
function filesOf(root: string, directory: string, others: readonly string[]): string[] {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = `${directory}/${entry.name}`;
    if (others.includes(path)) return [];
    const isDivided = entry.isDirectory() && others.some((other) => other.startsWith(`${path}/`));
    if (isDivided) return filesOf(root, path, others);
    // A link is followed inside of the image.
    const source = join(root, path);
    return entry.isSymbolicLink() ? ["--symlink", readlinkSync(source), path] : ["--ro-bind", source, path];
  });
}
