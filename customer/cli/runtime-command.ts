import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { Command } from "commander";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { WheelInfo } from "../../shared/wire/wheels.ts";
import { serverCommand, withHands, type ServerFlags } from "./command.ts";
import { size, table, writeJson, writeLine } from "./output.ts";

/** `manyhands runtime`: packages that functions in Python have beside the standard library. */
export function runtimeCommand(): Command {
  return new Command("runtime")
    .description("Packages that a server has for functions in Python")
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand());
}

function addCommand(): Command {
  return serverCommand("add", "Put packages into the server: wheels of pure Python, or built for Pyodide")
    .argument("<files...>", "wheels (.whl)")
    .addHelpText(
      "after",
      "\nWheels for Pyodide, NumPy's among them, are those of its release on GitHub, and on PyPI those for pyemscripten.",
    )
    .action(async (files: string[], flags: ServerFlags) => {
      const added = await withHands(flags, async (hands) => {
        const wheels: WheelInfo[] = [];
        for (const file of files) wheels.push(await hands.api.putWheel(basename(file), await read(file)));
        return wheels;
      });
      await (flags.json ? writeJson(added) : writeLine(wheelTable(added)));
    });
}

function listCommand(): Command {
  return serverCommand("list", "List the packages").action(async (flags: ServerFlags) => {
    const wheels = await withHands(flags, (hands) => hands.api.wheels());
    if (flags.json) return writeJson(wheels);
    return writeLine(wheels.length > 0 ? wheelTable(wheels) : "The server has no packages for Python.");
  });
}

function removeCommand(): Command {
  return serverCommand("remove", "Take packages out of the server; kernels that have them go on")
    .argument("<files...>", "names of the wheels, as `manyhands runtime list` shows them")
    .action(async (files: string[], flags: ServerFlags) => {
      await withHands(flags, async (hands) => {
        for (const file of files) await hands.api.deleteWheel(file);
      });
      await (flags.json ? writeJson({ removed: files }) : writeLine(`${files.length} removed.`));
    });
}

async function read(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (!path.endsWith(".whl"))
    throw new PlatformError(
      "BAD_OPTION",
      `${path} is no wheel; expected files that end in .whl. Pyodide itself comes by \`npm install pyodide\` beside the server.`,
    );
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw new PlatformError("FILE_FAILED", `The wheel ${path} cannot be read: ${messageOf(error)}.`, error);
  }
}

function wheelTable(wheels: readonly WheelInfo[]): string {
  return table(wheels, [
    { head: "PACKAGE", cell: ({ name, version }) => `${name} ${version}` },
    {
      head: "IMPORT",
      cell: ({ modules }) => modules.slice(0, 4).join(", ") + (modules.length > 4 ? ", …" : ""),
    },
    { head: "SIZE", cell: (wheel) => size(wheel.size), right: true },
    { head: "FILE", cell: ({ file }) => file },
  ]);
}
