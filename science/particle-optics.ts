import { isPixelSize } from "./mrc.ts";
import { cellName, numberColumn } from "./star-columns.ts";
import { StarError, type StarTable, type ParticleTables } from "./star-read.ts";

/** The optics groups of particles. */
interface OpticsGroups {
  /** Rows of the optics table, from 0. */
  readonly used: readonly number[];
  /** Pixels a side of all images; absent when the table leaves it open. */
  readonly imageSize?: number;
}

const positive = { min: 1e-6, max: 1e9 };

/**
 * The optics groups that particles name.
 * @returns undefined for a file of RELION 3.0
 * @throws StarError when a group does not exist, or its images differ in size or are no images
 */
export function opticsGroups({ optics, particles }: ParticleTables): OpticsGroups | undefined {
  if (!optics) return undefined;
  const used = usedGroups(optics, particles);
  if (optics.columns.includes("rlnImageDimensionality"))
    numberColumn(optics, "rlnImageDimensionality", { min: 2, max: 2, whole: true }, used);
  if (!optics.columns.includes("rlnImageSize")) return { used };
  const sizes = new Set(numberColumn(optics, "rlnImageSize", { min: 2, max: 1e5, whole: true }, used));
  const [imageSize] = sizes;
  if (sizes.size > 1)
    throw new StarError(
      `data_optics: images of ${[...sizes].join(" and ")} pixels; all of one size were expected`,
    );
  return { used, ...(imageSize !== undefined && { imageSize }) };
}

function usedGroups(optics: StarTable, particles: StarTable): number[] {
  const id = { min: 1, max: 1e6, whole: true };
  const ids = numberColumn(optics, "rlnOpticsGroup", id);
  const twice = ids.findIndex((own, row) => ids.indexOf(own) < row);
  if (twice >= 0)
    throw new StarError(`${cellName(optics, twice, "rlnOpticsGroup")}: group ${ids[twice]} a second time`);
  if (!particles.columns.includes("rlnOpticsGroup") && ids.length === 1) return [0];
  const rows = numberColumn(particles, "rlnOpticsGroup", id).map((group, row) => {
    const at = ids.indexOf(group);
    if (at >= 0) return at;
    throw new StarError(
      `${cellName(particles, row, "rlnOpticsGroup")}: ${group}; data_optics has ${ids.join(", ") || "none"}`,
    );
  });
  return [...new Set(rows)].sort((a, b) => a - b);
}

/**
 * Pixel size of the images, Å, from the optics, else from the particles' columns, as in RELION 3.0. `apix` takes precedence
 * over those columns, because a magnification is often nominal.
 * @param isFixed - whether lengths of the table are in Å, so that `apix` must not differ
 * @throws StarError for no pixel size, or several
 */
export function pixelSizeOfParticles(
  { optics, particles }: ParticleTables,
  groups: OpticsGroups | undefined,
  apix: number | undefined,
  isFixed: boolean,
): number {
  const ofOptics = optics && groups ? sizesOf(optics, groups.used) : [];
  const sizes = ofOptics.length > 0 ? ofOptics : sizesOf(particles, [...particles.rows.keys()]);
  const [first] = sizes;
  if (first === undefined && apix !== undefined) return apix;
  if (first === undefined)
    throw new StarError(
      "no pixel size (_rlnImagePixelSize, _rlnPixelSize, or _rlnDetectorPixelSize and _rlnMagnification); give it with --apix <Å>",
    );
  const other = sizes.find(({ size }) => Math.abs(size - first.size) > 1e-3 * first.size);
  if (other)
    throw new StarError(
      `pixels of ${first.size} Å (${first.from}) and of ${other.size} Å (${other.from}); all of one size were expected: scale the images, or split the file`,
    );
  if (apix === undefined || Math.abs(apix - first.size) <= 1e-3 * apix) return first.size;
  if (!isFixed && ofOptics.length === 0) return apix;
  throw new StarError(
    `pixels of ${first.size} Å (${first.from}), and --apix ${apix}; ${isFixed ? "its origins are in Å" : "its optics say so"}: change the file, or leave --apix out`,
  );
}

interface PixelSize {
  readonly size: number;
  /** Origin of the size in the table. */
  readonly from: string;
}

/** The distinct pixel sizes of a table's rows. */
function sizesOf(table: StarTable, rows: readonly number[]): PixelSize[] {
  const has = (name: string): boolean => table.columns.includes(name);
  const read = (name: string): number[] => numberColumn(table, name, positive, rows);
  const told = ["rlnImagePixelSize", "rlnPixelSize"].filter(has).map((name) => ({ name, sizes: read(name) }));
  if (has("rlnDetectorPixelSize") && has("rlnMagnification")) {
    const magnifications = read("rlnMagnification");
    // Detector pixels are in micrometres.
    const ofDetector = read("rlnDetectorPixelSize").map((side, i) => (side * 1e4) / magnifications[i]!);
    told.push({ name: "rlnDetectorPixelSize", sizes: ofDetector });
  }
  const found = new Map<number, PixelSize>();
  for (const { name, sizes } of told)
    for (const [i, exact] of sizes.entries()) {
      const size = Number(exact.toPrecision(9));
      if (found.has(size)) continue;
      const from = cellName(table, rows[i]!, name);
      if (!isPixelSize(size))
        throw new StarError(`${from}: pixels of ${size} Å; 0.05 … 10,000 Å were expected`);
      found.set(size, { size, from });
    }
  return [...found.values()];
}
