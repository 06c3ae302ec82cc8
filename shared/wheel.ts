import { unzipSync } from "fflate/browser";
import * as v from "valibot";
import { messageOf, PlatformError } from "./errors.ts";

/** Largest wheel: those of NumPy and SciPy for Pyodide have 3 and 12 MB. */
export const wheelBytes = 64 * 1024 * 1024;
/** Most bytes of the files in a wheel together. */
const unpackedBytes = 512 * 1024 * 1024;
const metadataBytes = 1024 * 1024;

/** `{package}-{version}(-{build})-{python}-{abi}-{platform}.whl`, as the specification of wheels has it. */
const fileName =
  /^([A-Za-z0-9](?:[\w.]*[A-Za-z0-9])?)-([\w.!+]+)(?:-\d[\w.]*)?-([\w.]+)-([\w.]+)-([\w.]+)\.whl$/;

export const wheelFileSchema = v.pipe(
  v.string(),
  v.maxLength(255),
  v.regex(
    fileName,
    "expected the name of a wheel, such as numpy-2.4.6-cp314-cp314-pyemscripten_2026_0_wasm32.whl",
  ),
);

/**
 * A package for Python in a file, a zip archive
 * (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
 */
export interface Wheel {
  readonly file: string;
  /** Name of the package in its normal form: `typing-extensions`. */
  readonly name: string;
  readonly version: string;
  /** Modules that it has, without those inside packages. */
  readonly modules: string[];
  /** Packages that it requires, extras left out. */
  readonly requires: string[];
}

/** The build of Python for which a wheel has to be, from Pyodide's own list of packages. */
export interface PythonBuild {
  /** `3.14.2` */
  readonly python: string;
  /** `2026_0` */
  readonly abi: string;
}

/**
 * Name, version and requirements of a wheel, as its metadata tells.
 * @throws PlatformError BAD_ARGUMENT
 */
export function readWheel(file: string, bytes: Uint8Array): Wheel {
  const [, name = "", version = ""] = fileName.exec(file) ?? refuse(file, "has no name of a wheel");
  if (bytes.length > wheelBytes) refuse(file, `has ${bytes.length} bytes; at most ${wheelBytes} are allowed`);
  const modules = new Set<string>();
  let unpacked = 0;
  let metadata: Uint8Array | undefined;
  try {
    const found = unzipSync(bytes, {
      filter: (entry) => {
        unpacked += entry.originalSize;
        const module = moduleOf(entry.name);
        if (module !== undefined) modules.add(module);
        return /^[^/]+\.dist-info\/METADATA$/.test(entry.name) && entry.originalSize <= metadataBytes;
      },
    });
    metadata = Object.values(found)[0];
  } catch (error) {
    refuse(file, `cannot be read as a zip archive: ${messageOf(error)}`);
  }
  if (!metadata) refuse(file, "has no METADATA, as wheels have");
  if (unpacked > unpackedBytes)
    refuse(file, `has files of ${unpacked} bytes; at most ${unpackedBytes} are allowed`);
  const requires = requirementsIn(new TextDecoder("utf-8").decode(metadata));
  return { file, name: normalName(name), version, modules: [...modules].toSorted(), requires };
}

/** @throws PlatformError BAD_ARGUMENT for a wheel of another system, processor or version of Python */
export function checkFits(file: string, { python, abi }: PythonBuild): void {
  const [, , , pythons = "", abis = "", platforms = ""] = fileName.exec(file) ?? [];
  const [major = "3", minor = "0"] = python.split(".");
  const own = `cp${major}${minor}`;
  const isOlder = (tag: string): boolean => {
    const [, kind, digits] = /^(cp|py)3(\d+)$/.exec(tag) ?? [];
    return kind !== undefined && Number(digits) <= Number(minor);
  };
  const any = platforms.split(".").includes("any") && abis.split(".").includes("none");
  const platform = `pyemscripten_${abi}_wasm32`;
  const isPure = any && pythons.split(".").some((tag) => tag === `py${major}` || isOlder(tag));
  const isBuilt =
    platforms.split(".").includes(platform) &&
    abis
      .split(".")
      .some((tag) => (tag === "abi3" ? pythons.split(".").some(isOlder) : tag === own || tag === "none"));
  if (isPure || isBuilt) return;
  refuse(
    file,
    `is for another Python; expected a wheel of pure Python (…-none-any.whl), or one for Pyodide with Python ${major}.${minor} (…-${own}-${own}-${platform}.whl)`,
  );
}

/** The name of a package as all its spellings have it in common. */
export function normalName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}

/** The module outside of packages to which a file of a wheel belongs. */
function moduleOf(path: string): string | undefined {
  const [, folder, file] = /^(?:([A-Za-z_]\w*)\/.*|([A-Za-z_]\w*)(?:\.[\w-]+)?)\.(?:py|so)$/.exec(path) ?? [];
  return folder ?? file;
}

function requirementsIn(metadata: string): string[] {
  const head = metadata.split(/\r?\n\r?\n/, 1)[0] ?? "";
  const lines = [...head.matchAll(/^Requires-Dist:\s*([A-Za-z0-9][\w.-]*)(.*)$/gm)];
  return lines
    .filter(([, , rest]) => !/;.*\bextra\b/.test(rest ?? ""))
    .map(([, name = ""]) => normalName(name));
}

function refuse(file: string, what: string): never {
  throw new PlatformError("BAD_ARGUMENT", `${file} ${what}.`);
}
