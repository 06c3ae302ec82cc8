import { lstatSync, readlinkSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { PlatformError } from "../../shared/errors.ts";
import type { ClientPorts } from "../../shared/client/ports.ts";
import { refusalOf, type AllowedCommand, type ImageFiles } from "./allowed.ts";
import { isolationLacks } from "./isolation.ts";
import { UnpackedImages } from "./unpacked-images.ts";

/** Links that a path may have, as in Linux. */
const maxLinks = 40;

/**
 * Provides the files of the images that commands name: directories as they are, images of podman or docker as a copy below the cache
 * directory.
 * @throws PlatformError BAD_OPTION: no isolation, no such image, no such program in it
 */
export async function provideImages(
  allowed: readonly AllowedCommand[],
  options: { readonly cacheDirectory: string; readonly log: ClientPorts["log"] },
): Promise<AllowedCommand[]> {
  if (allowed.every(({ image }) => image === undefined)) return [...allowed];
  const lacks = isolationLacks();
  if (lacks !== undefined)
    throw new PlatformError("BAD_OPTION", `Commands in container images need bubblewrap, but ${lacks}.`);
  const images = new UnpackedImages(options);
  const provided: AllowedCommand[] = [];
  for (const command of allowed) {
    const { name, image, path } = command;
    if (image === undefined) {
      provided.push(command);
      continue;
    }
    const files = isAbsolute(image) ? directoryOf(name, image) : await images.files(image);
    const place = placeIn(files.root, path);
    const refusal = place === undefined ? "cannot be found" : refusalOf(place);
    if (refusal !== undefined)
      throw new PlatformError("BAD_OPTION", `The command ${name}: ${path} of the image ${image} ${refusal}.`);
    provided.push({ ...command, files });
  }
  await images.removeUnused();
  return provided;
}

function directoryOf(name: string, root: string): ImageFiles {
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory()) return { root, env: {} };
  throw new PlatformError(
    "BAD_OPTION",
    `The command ${name}: the image ${root} is no directory; expected one with the files of an image, or the name of an image of podman or docker.`,
  );
}

/** Place of a path of an image on this machine, with links followed inside of the image; undefined where there is nothing. */
export function placeIn(root: string, path: string): string | undefined {
  const rest = path.split("/");
  let at: string[] = [];
  for (let links = 0; rest.length > 0;) {
    const name = rest.shift()!;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at.pop();
      continue;
    }
    const place = join(root, ...at, name);
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (!found) return undefined;
    if (!found.isSymbolicLink()) {
      at.push(name);
      continue;
    }
    if (++links > maxLinks) return undefined;
    const target = readlinkSync(place);
    if (isAbsolute(target)) at = [];
    rest.unshift(...target.split("/"));
  }
  return join(root, ...at);
}
