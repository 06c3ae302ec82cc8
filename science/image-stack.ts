import { MrcFile } from "./mrc-file.ts";
import { MrcError } from "./mrc-header.ts";

/**
 * Opens a file whose sections are images of particles.
 * @throws MrcError when they are not squares of an even side, or the header says that the file is no stack of images
 */
export async function openStack(path: string): Promise<MrcFile> {
  const file = await MrcFile.open(path);
  try {
    checkStack(file);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function checkStack({ path, header }: MrcFile): void {
  const [box, height] = header.dimensions;
  if (box !== height || box % 2)
    throw new MrcError(`${path}: images of ${box} × ${height} pixels; even squares were expected`);
  if (header.axes.join() !== "1,2,3")
    throw new MrcError(`${path}: axes ${header.axes.join(", ")} (MAPC, MAPR, MAPS); images have 1, 2, 3`);
  if (header.spaceGroup > 400)
    throw new MrcError(`${path}: space group ${header.spaceGroup}, a stack of volumes; images were expected`);
}

/** Suspicious properties of a readable stack, a sentence for each. */
export function oddities({ path, header, excessBytes }: MrcFile): string[] {
  const [box, , count] = header.dimensions;
  const odd: string[] = [];
  const isNamedStack = path.endsWith(".mrcs");
  // RELION gives its stacks a volume's space group too, but under names that end in `.mrcs`.
  if (header.spaceGroup > 0 && count > 1 && !isNamedStack)
    odd.push(
      `${path}: space group ${header.spaceGroup} says that this is a volume; its ${count} sections are taken as images`,
    );
  // Old programs write space group 0 for volumes; the sections of a stack are no intervals of one cell.
  if (header.spaceGroup === 0 && count === box && header.sampling[2] === count && !isNamedStack)
    odd.push(
      `${path}: ${count} sections of one cell (MZ) and as many pixels a side look like a volume; they are taken as images`,
    );
  if (excessBytes > 0)
    odd.push(`${path}: ${excessBytes} bytes more than the ${count} images of its header; they are not read`);
  return odd;
}

/** Reads the images of `members` into `out`; `indexOf` gives the position of a particle's image in the stack. */
export async function readMembers(
  file: MrcFile,
  members: readonly number[],
  indexOf: (member: number) => number,
  out: Float32Array,
): Promise<void> {
  const [box, , count] = file.header.dimensions;
  const area = box * box;
  for (let at = 0; at < members.length;) {
    const [first, index] = [members[at]!, indexOf(members[at]!)];
    // Images that follow each other both in the file and in `members` are read in one call.
    let run = 1;
    while (members[at + run] === first + run && indexOf(first + run) === index + run) run++;
    if (index + run > count)
      throw new RangeError(
        `${file.path}: image ${Math.max(index, count) + 1} was asked for; it has ${count}`,
      );
    await file.read(index, run, out.subarray(first * area, (first + run) * area));
    at += run;
  }
}
