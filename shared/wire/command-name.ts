import * as v from "valibot";

/** Most commands that one client allows. */
export const maxCommands = 256;

/** Name of a command that owners of clients allow. */
export const commandNameSchema = v.pipe(
  v.string(),
  v.maxLength(64),
  v.regex(/^[A-Za-z0-9_][\w.+-]*$/, "expected the name of a command, such as blastp"),
);
