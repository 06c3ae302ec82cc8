import { Command } from "commander";
import { createSigningKey, publicFileOf, readSigningKey } from "../../signing/keys.ts";
import { writeJson, writeLine } from "./output.ts";

/** `manyhands key`: keys that sign kernels, for clients that run nothing else. */
export function keyCommand(): Command {
  return new Command("key")
    .description("Keys that sign kernels")
    .addCommand(
      new Command("create")
        .description("Make a key: FILE signs, FILE.pub is for clients to trust")
        .requiredOption("--name <name>", "who signs; volunteers see it")
        .option("--out <file>", "where the key goes; it is never written over", "manyhands.key")
        .option("--json", "write JSON for programs instead of text for people")
        .action(async ({ name, out, json }: { name: string; out: string; json?: boolean }) => {
          const made = createSigningKey(out, name);
          const publicFile = publicFileOf(out);
          if (json) return writeJson({ ...made, file: out, publicFile });
          await writeLine(`${out} signs as ${made.name}: manyhands map --sign-key ${out} …`);
          await writeLine(`${publicFile} is for clients: manyhands client --trust-key ${publicFile} …`);
        }),
    )
    .addCommand(
      new Command("show")
        .description("Print the public key of a key file, as clients take it")
        .argument("<file>", "a key that `manyhands key create` made")
        .option("--json", "write JSON for programs instead of text for people")
        .action(async (file: string, { json }: { json?: boolean }) => {
          const { name, key } = readSigningKey(file);
          await (json ? writeJson({ name, key }) : writeLine(`manyhands-trusted-key ${key} ${name}`));
        }),
    );
}
