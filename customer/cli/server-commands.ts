import { Command, Option } from "commander";
import type { Capacity } from "../../shared/wire/rest/capacity.ts";
import type { BanInfo, ClientInfo } from "../../shared/wire/rest/clients.ts";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import { roles, type Role } from "../../shared/wire/rest/tokens.ts";
import { recordLimits } from "../../shared/limits.ts";
import { duration, serverCommand, wholeNumber, withHands, type ServerFlags } from "./command.ts";
import { ago, rate, size, table, writeJson, writeLine } from "./output.ts";

/** Commands about the server itself: status, clients, bans, tokens, invitations. */
export function serverCommands(): Command[] {
  return [
    statusCommand(),
    capacityCommand(),
    clientsCommand(),
    bansCommand(),
    tokenCommand(),
    inviteCommand(),
    auditCommand(),
  ];
}

function statusCommand(): Command {
  return serverCommand("status", "Show how the server stands").action(async (flags: ServerFlags) => {
    const status = await withHands(flags, (hands) => hands.status());
    await (flags.json ? writeJson(status) : writeLine(describeStatus(status)));
  });
}

function describeStatus({ clients, tasks, blobs, damaged, ...status }: ServerStatus): string {
  return [
    `version     ${status.version}, up since ${new Date(status.startedAt).toLocaleString()}`,
    `volunteers  ${status.volunteers}: ${status.volunteerUrls.join("  ")}`,
    `clients     ${clients.browser} browsers, ${clients.node} nodes; ${clients.busy} of ${clients.slots} slots busy`,
    `jobs        ${status.jobs}`,
    `tasks       ${tasks.queued} queued, ${tasks.running} running, ${tasks.done} done, ${tasks.failed} failed; ${rate(status.rate)}`,
    `blobs       ${blobs.count}, ${size(blobs.bytes)} of ${size(blobs.quotaBytes)}`,
    ...(damaged.blobs > 0
      ? [`damaged     ${damaged.blobs} blobs, to be put again; \`manyhands job\` names those of a job`]
      : []),
    ...(damaged.records > 0
      ? [`damaged     ${damaged.records} records of the database; the server's log names their jobs`]
      : []),
  ].join("\n");
}

function capacityCommand(): Command {
  return serverCommand("capacity", "Show what the clients can do together").action(
    async (flags: ServerFlags) => {
      const capacity = await withHands(flags, (hands) => hands.capacity());
      await (flags.json ? writeJson(capacity) : writeLine(describeCapacity(capacity)));
    },
  );
}

function describeCapacity({ kinds, clients, slots, busy, ...capacity }: Capacity): string {
  const { tasksPerSecond } = capacity;
  const rows = [
    { kind: "browser", ...kinds.browser },
    { kind: "node", ...kinds.node },
    { kind: "all", clients, slots, busy, meanTaskMs: null },
  ];
  const expected =
    tasksPerSecond === null ? "not measured yet" : `${rate(tasksPerSecond)} with every slot busy`;
  return [
    table(rows, [
      { head: "KIND", cell: (row) => row.kind },
      { head: "CLIENTS", cell: (row) => row.clients, right: true },
      { head: "SLOTS", cell: (row) => row.slots, right: true },
      { head: "BUSY", cell: (row) => row.busy, right: true },
      {
        head: "MS A TASK",
        cell: ({ meanTaskMs }) => (meanTaskMs === null ? "" : meanTaskMs.toPrecision(3)),
        right: true,
      },
    ]),
    `tasks: ${rate(capacity.rate)} now; expected ${expected}`,
  ].join("\n");
}

interface ClientFlags extends ServerFlags {
  readonly disconnect?: string;
  readonly ban?: string;
  readonly reason?: string;
}

function clientsCommand(): Command {
  return serverCommand("clients", "List the clients, or be rid of one")
    .option("--disconnect <id>", "close a client's connection; it may come back")
    .option("--ban <id>", "disconnect a client and refuse it from now on")
    .option("--reason <text>", "what a banned client is told", "by the administrator")
    .action(async (flags: ClientFlags) => {
      const clients = await withHands(flags, async (hands) => {
        if (flags.disconnect !== undefined) await hands.api.disconnectClient(flags.disconnect);
        if (flags.ban !== undefined) await hands.api.banClient(flags.ban, flags.reason ?? "");
        return hands.clients();
      });
      if (flags.json) return writeJson(clients);
      return writeLine(clients.length > 0 ? clientTable(clients) : "No clients.");
    });
}

function clientTable(clients: readonly ClientInfo[]): string {
  return table(clients, [
    { head: "CLIENT", cell: (client) => client.id },
    { head: "NAME", cell: (client) => client.name },
    { head: "KIND", cell: (client) => (client.trusted ? `${client.kind}, trusted` : client.kind) },
    { head: "SLOTS", cell: (client) => client.slots, right: true },
    { head: "TASKS", cell: (client) => client.leases, right: true },
    { head: "DONE", cell: (client) => client.done, right: true },
    { head: "FAILED", cell: (client) => client.failed, right: true },
    {
      head: "CACHE",
      cell: ({ cacheHitRatio }) => (cacheHitRatio === null ? "" : `${Math.round(cacheHitRatio * 100)}%`),
      right: true,
    },
    { head: "SEEN", cell: (client) => (client.connected ? "now" : ago(client.lastSeenAt)) },
  ]);
}

function bansCommand(): Command {
  return serverCommand("bans", "List who is refused (client ids and addresses), or lift a ban")
    .option("--lift <subject>", "take this client id or address again; a ban on both is two")
    .action(async (flags: ServerFlags & { lift?: string }) => {
      const bans = await withHands(flags, async (hands) => {
        if (flags.lift !== undefined) await hands.api.liftBan(flags.lift);
        return hands.api.bans();
      });
      if (flags.json) return writeJson(bans);
      return writeLine(bans.length > 0 ? banTable(bans) : "No bans.");
    });
}

function banTable(bans: readonly BanInfo[]): string {
  return table(bans, [
    { head: "BANNED", cell: (ban) => ban.subject },
    { head: "SINCE", cell: (ban) => ago(ban.at) },
    { head: "REASON", cell: (ban) => ban.reason },
  ]);
}

function tokenCommand(): Command {
  const command = new Command("token").description("Make, list, limit and revoke access tokens");
  command
    .addCommand(createCommand())
    .addCommand(
      serverCommand("list", "List the tokens; their secrets are nowhere").action(
        async (flags: ServerFlags) => {
          const tokens = await withHands(flags, (hands) => hands.api.tokens());
          if (flags.json) return writeJson(tokens);
          return writeLine(
            table(tokens, [
              { head: "TOKEN", cell: (token) => token.id },
              { head: "ROLE", cell: (token) => token.role },
              { head: "NAME", cell: (token) => token.name },
              { head: "MADE", cell: (token) => ago(token.createdAt) },
              {
                head: "EXPIRES",
                cell: ({ expiresAt }) => (expiresAt ? new Date(expiresAt).toLocaleString() : ""),
              },
              { head: "CLIENTS", cell: ({ maxClients }) => (maxClients ? `${maxClients}` : ""), right: true },
              { head: "USED", cell: ({ lastUsedAt }) => (lastUsedAt ? ago(lastUsedAt) : "never") },
            ]),
          );
        },
      ),
    )
    .addCommand(
      serverCommand("limit", "Change how many clients may be connected with a token at once, at each server")
        .argument("<id>", "the token's id, as `token list` shows it")
        .argument("<clients>", "most clients, or `any`", (text) =>
          text === "any" ? null : wholeNumber(1, 100_000)(text),
        )
        .addHelpText("after", "\nClients that are connected stay.")
        .action(async (id: string, most: number | null, flags: ServerFlags) => {
          const token = await withHands(flags, (hands) => hands.api.changeToken(id, most));
          await (flags.json
            ? writeJson(token)
            : writeLine(`${id} is for ${most === null ? "any number of" : `at most ${most}`} clients.`));
        }),
    )
    .addCommand(
      serverCommand("revoke", "Make a token worthless from now on")
        .argument("<id>", "the token's id, as `token list` shows it")
        .action(async (id: string, flags: ServerFlags) => {
          await withHands(flags, (hands) => hands.api.revokeToken(id));
          await (flags.json ? writeJson({ revoked: id }) : writeLine(`${id} is revoked.`));
        }),
    );
  return command;
}

function auditCommand(): Command {
  return serverCommand("audit", "List what administrators did, newest first")
    .option("--limit <n>", "at most so many", wholeNumber(1, recordLimits.auditEntries), 50)
    .action(async (flags: ServerFlags & { limit: number }) => {
      const entries = await withHands(flags, (hands) => hands.api.audit(flags.limit));
      if (flags.json) return writeJson(entries);
      if (entries.length === 0) return writeLine("Nothing is noted.");
      return writeLine(
        table(entries, [
          { head: "WHEN", cell: ({ at }) => new Date(at).toLocaleString() },
          { head: "WHO", cell: ({ actor }) => actor },
          { head: "TOKEN", cell: ({ token }) => token },
          { head: "ACTION", cell: ({ action }) => action },
          { head: "ON", cell: ({ subject }) => subject },
          { head: "DETAIL", cell: ({ detail }) => detail },
          { head: "REFUSED", cell: ({ refusal }) => refusal ?? "" },
        ]),
      );
    });
}

interface CreateFlags extends ServerFlags {
  readonly role: Role;
  readonly name: string;
  readonly expires?: number;
  readonly maxClients?: number;
}

function createCommand(): Command {
  return serverCommand("create", "Make a token and show it, this once")
    .addOption(new Option("--role <role>", "what it allows").choices([...roles]).makeOptionMandatory())
    .requiredOption("--name <name>", "whose it is; jobs show it as their customer")
    .option("--expires <time>", "lifetime, e.g. 12h or 30d; else until revoked", duration)
    .option("--max-clients <n>", "most clients at once, at each server", wholeNumber(1, 100_000))
    .action(async (flags: CreateFlags) => {
      const { created, url, sha256 } = await withHands(flags, async (hands) => ({
        created: await hands.api.createToken(
          flags.role,
          flags.name,
          seconds(flags.expires),
          flags.maxClients,
        ),
        url: hands.url.replace(/\/$/, ""),
        sha256: flags.role === "client" ? await hands.api.clientProgramSha256() : undefined,
      }));
      if (flags.json) return writeJson(created);
      await writeLine(created.token);
      if (created.inviteUrl) await writeLine(created.inviteUrl);
      // Standard output has the token alone, for scripts.
      if (sha256 !== undefined)
        process.stderr.write(
          `\nOn a node, with Node 22 or newer and the server's address as the node reaches it:\n` +
            `  curl -fO ${url}/client.mjs && echo '${sha256}  client.mjs' | sha256sum -c\n` +
            `  MANYHANDS_TOKEN=${created.token} node client.mjs --server ${url}\n`,
        );
    });
}

interface InviteFlags {
  readonly name: string;
  readonly trusted?: boolean;
  readonly expires?: number;
  readonly maxClients?: number;
}

function inviteCommand(): Command {
  return serverCommand("invite", "Make a link that lets its holder volunteer")
    .option("--name <name>", "whom it is for", "invitation")
    .option("--trusted", "believe what the browsers compute: for machines of your own")
    .option("--expires <time>", "lifetime, e.g. 12h or 30d; else until revoked", duration)
    .option("--max-clients <n>", "most browsers at once, at each server", wholeNumber(1, 100_000))
    .action(async (flags: ServerFlags & InviteFlags) => {
      const role = flags.trusted ? "client" : "volunteer";
      const created = await withHands(flags, (hands) =>
        hands.api.createToken(role, flags.name, seconds(flags.expires), flags.maxClients),
      );
      await (flags.json ? writeJson(created) : writeLine(created.inviteUrl ?? created.token));
    });
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.max(1, Math.round(ms / 1000));
}
