import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { ServiceName } from "../topic.ts";

/** Debian's own Python, which has Debian's packages. Another Python may come first on the path. */
export const debianPython = "/usr/bin/python3";

interface Need {
  readonly packages: readonly string[];
  /** Whether the programs of the packages are here. */
  present(): boolean;
}

const needs: Readonly<Record<ServiceName, Need>> = {
  redis: { packages: ["redis-server"], present: () => onPath("redis-server") !== undefined },
  postgres: { packages: ["postgresql"], present: () => postgresBinaries() !== undefined },
  nats: { packages: ["nats-server"], present: () => onPath("nats-server") !== undefined },
  nginx: { packages: ["nginx-light"], present: () => onPath("nginx") !== undefined },
  dask: {
    packages: ["python3-distributed"],
    present: () => spawnSync(debianPython, ["-c", "import distributed"]).status === 0,
  },
  c: {
    packages: ["gcc", "libc6-dev", "libfftw3-dev"],
    present: () => onPath("gcc") !== undefined && existsSync("/usr/include/fftw3.h"),
  },
  chromium: {
    packages: ["chromium"],
    present: () =>
      process.env["CHROME_PATH"] !== undefined || onPath("chromium", "google-chrome") !== undefined,
  },
};

/** Installs missing programs from Debian's packages. @throws Error with the command, when this user may not install */
export function installMissing(names: readonly ServiceName[]): void {
  const missing = names.filter((name) => !needs[name].present());
  if (missing.length === 0) return;
  const packages = missing.flatMap((name) => needs[name].packages);
  const command = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (onPath("apt-get") === undefined || process.getuid?.() !== 0)
    throw new Error(`${missing.join(", ")} missing. Install as root: ${command}`);
  console.error(`Installing ${packages.join(" ")} …`);
  apt(["update", "-q"]);
  apt(["install", "-y", "-q", "--no-install-recommends", ...packages]);
  const still = missing.filter((name) => !needs[name].present());
  if (still.length > 0) throw new Error(`${still.join(", ")} missing although this worked: ${command}`);
}

function apt(args: readonly string[]): void {
  // RUNLEVEL=1 keeps the services of the packages down: the benchmarks start their own, on data of their own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const { status, stderr } = spawnSync("apt-get", args, { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`apt-get ${args.join(" ")} failed:\n${stderr}`);
}

/** The first of the programs that is on the path. */
export function onPath(...programs: readonly string[]): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return programs.flatMap((program) => folders.map((folder) => join(folder, program))).find(existsSync);
}

/** The folder of the newest PostgreSQL's programs, which Debian does not put on the path. */
export function postgresBinaries(): string | undefined {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return undefined;
  const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(root, version, "bin")).find((bin) => existsSync(join(bin, "initdb")));
}
