import type { PlantedFault } from "./fault.ts";
import { commands, scheduler } from "./tests.ts";

/** Faults of the commands of clients. */
export const commandsFaults: readonly PlantedFault[] = [
  {
    name: "command: a stranger that announces it gets its tasks",
    file: "server/scheduler/requirements.ts",
    find: "(command === undefined || (info.trusted && info.commands?.includes(command) === true))",
    replace: "(command === undefined || info.commands?.includes(command) === true)",
    tests: scheduler,
  },
  {
    name: "command: a job that does not require it runs it",
    file: "node-client/commands/commands.ts",
    find: "      if (name === undefined)\n",
    replace: "      if (name === '')\n",
    tests: commands,
  },
  {
    name: "command: what made a session of its own is left",
    file: "node-client/commands/process-tree.ts",
    find: "(mark !== undefined && hasMark(pid, mark))",
    replace: "false",
    tests: commands,
  },
  {
    name: "command: its links are followed",
    file: "node-client/commands/run-directory.ts",
    find: "    if (!entry.isFile()) continue;\n    const found = await lstat(join(root, path)).catch(() => undefined);\n    if (found?.isFile())",
    replace:
      "    const found = await lstat(join(root, path)).catch(() => undefined);\n    if (found && !found.isDirectory() && !found.isFIFO())",
    tests: commands,
  },
  {
    name: "command: a value begins an option",
    file: "customer/command-kernel/kernel.ts",
    find: 'template.startsWith("{") &&',
    replace: 'template === "" &&',
    tests: commands,
  },
  {
    name: "command: it has the network",
    file: "node-client/commands/isolation.ts",
    find: '...(network ? ["--share-net"] : []),',
    replace: '"--share-net",',
    tests: commands,
  },
];
