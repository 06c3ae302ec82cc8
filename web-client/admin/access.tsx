import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { AuditEntry } from "../../shared/wire/rest/audit.ts";
import type { BanInfo } from "../../shared/wire/rest/clients.ts";
import type { CreatedToken, Role, TokenInfo } from "../../shared/wire/rest/tokens.ts";
import { formatCount } from "../ui/format.ts";
import { shownName, shownText } from "../ui/shown-name.ts";
import { DangerButton } from "./confirm.tsx";
import { CopyButton } from "./copy-button.tsx";
import { QrCode } from "../ui/qr-code.tsx";
import { useReading } from "./reading.ts";
import { act } from "./state.ts";
import { texts } from "./texts/current.ts";

const everyMs = 5_000;

/** Who may do what: tokens and invitations, bans, and what administrators did. */
export function AccessPage(): JSX.Element {
  return (
    <>
      <Tokens />
      <Bans />
      <Audit />
    </>
  );
}

const roleTexts: readonly (readonly [Role, string])[] = [
  ["volunteer", "Invitation: browsers compute, and are verified"],
  ["client", "Client: computes, and is believed"],
  ["customer", "Customer: submits jobs"],
  ["admin", "Administrator"],
];

const lifetimes: readonly (readonly [string, string])[] = [
  ["", "until revoked"],
  ["86400", "a day"],
  ["604800", "a week"],
  ["2592000", "30 days"],
  ["31536000", "a year"],
];

function Tokens(): JSX.Element {
  const { value: tokens = [], again } = useReading<TokenInfo[]>("api/tokens", everyMs);
  const made = useSignal<CreatedToken | undefined>(undefined);
  const revoke = async (id: string): Promise<void> => {
    await act("DELETE", `api/tokens/${id}`);
    again();
  };
  return (
    <section class="card panel" aria-labelledby="tokens">
      <h2 id="tokens">Tokens and invitations</h2>
      <NewToken
        onMade={(token) => {
          made.value = token;
          again();
        }}
      />
      {made.value && <Secret token={made.value} />}
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Label</th>
            <th scope="col">For</th>
            <th scope="col">Expires</th>
            <th scope="col" class="number">
              Clients
            </th>
            <th scope="col">Last used</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.toReversed().map(({ id, role, name, expiresAt, lastUsedAt, maxClients }) => (
            <tr key={id}>
              <th scope="row" data-label="Label" class="long-name">
                <span class="strong">{shownName(name)}</span>
                <span class="muted sub">
                  <code>{id}</code>
                </span>
              </th>
              <td data-label="For">{role}</td>
              <td data-label="Expires">
                {expiresAt === null ? "never" : new Date(expiresAt).toLocaleString()}
              </td>
              <td data-label="Clients" class="number">
                {maxClients === undefined ? "any" : `at most ${formatCount(maxClients)}`}
              </td>
              <td data-label="Last used">
                {lastUsedAt === null ? "never" : new Date(lastUsedAt).toLocaleString()}
              </td>
              <td class="actions">
                <DangerButton
                  label="Revoke"
                  title={`Revoke “${shownName(name)}”?`}
                  text="The token is worthless at once; who is connected with it is disconnected."
                  verb="Revoke the token"
                  yes={() => void revoke(id)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function NewToken({ onMade }: { onMade: (token: CreatedToken) => void }): JSX.Element {
  const make = async (form: HTMLFormElement): Promise<void> => {
    const given = new FormData(form);
    const text = (name: string): string => {
      const value = given.get(name);
      return typeof value === "string" ? value.trim() : "";
    };
    const made = await act("POST", "api/tokens", {
      role: text("role"),
      name: text("name"),
      ...(text("lifetime") !== "" && { expiresInSeconds: Number(text("lifetime")) }),
      ...(text("clients") !== "" && { maxClients: Number(text("clients")) }),
    });
    if (!made) return;
    form.reset();
    onMade(made as CreatedToken);
  };
  return (
    <form
      class="new-token"
      onSubmit={(event) => {
        event.preventDefault();
        void make(event.currentTarget);
      }}
    >
      <label>
        <span>Label</span>
        <input name="name" required maxLength={200} placeholder="room 12" />
      </label>
      <label>
        <span>For</span>
        <select name="role">
          {roleTexts.map(([role, text]) => (
            <option key={role} value={role}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>Lasts</span>
        <select name="lifetime">
          {lifetimes.map(([seconds, text]) => (
            <option key={seconds} value={seconds}>
              {text}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>Clients at once</span>
        <input name="clients" type="number" min={1} max={100_000} step={1} placeholder="any" />
      </label>
      <button type="submit" class="button primary">
        Make it
      </button>
    </form>
  );
}

/** The secret of a new token, which is nowhere else. */
function Secret({ token: { token, inviteUrl, name } }: { token: CreatedToken }): JSX.Element {
  const text = inviteUrl ?? token;
  return (
    <div class="secret" role="status">
      <p>
        <span class="strong">{shownName(name)}</span>: shown this once, and nowhere else.
      </p>
      <div class="address">
        <code>{text}</code>
        <CopyButton text={text} />
      </div>
      {inviteUrl !== undefined && (
        <>
          <div class="address">
            <code>{token}</code>
            <CopyButton text={token} />
          </div>
          <QrCode text={inviteUrl} label={texts.frame.qrCode(inviteUrl)} />
        </>
      )}
    </div>
  );
}

function Bans(): JSX.Element {
  const { value: bans = [], again } = useReading<BanInfo[]>("api/bans", everyMs);
  const lift = async (subject: string): Promise<void> => {
    await act("DELETE", `api/bans/${encodeURIComponent(subject)}`);
    again();
  };
  return (
    <section class="card panel" aria-labelledby="bans">
      <h2 id="bans">Bans</h2>
      {bans.length === 0 ? (
        <p class="muted">Nobody is banned. The list of clients bans one.</p>
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Client or address</th>
              <th scope="col">Since</th>
              <th scope="col">Reason</th>
              <th scope="col">
                <span class="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {bans.map(({ subject, reason, at }) => (
              <tr key={subject}>
                <th scope="row" data-label="Client or address" class="long-name">
                  <code>{shownName(subject)}</code>
                </th>
                <td data-label="Since">{new Date(at).toLocaleString()}</td>
                <td data-label="Reason" class="long-name">
                  <bdi>{shownText(reason)}</bdi>
                </td>
                <td class="actions">
                  <button type="button" class="button small" onClick={() => void lift(subject)}>
                    Lift
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Audit(): JSX.Element {
  const { value: entries = [] } = useReading<AuditEntry[]>("api/audit?limit=100", everyMs);
  return (
    <section class="card panel" aria-labelledby="audit">
      <h2 id="audit">What administrators did</h2>
      {entries.length === 0 ? (
        <p class="muted">Nothing is noted yet.</p>
      ) : (
        <table class="table">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">Who</th>
              <th scope="col">What</th>
              <th scope="col">Detail</th>
            </tr>
          </thead>
          <tbody>
            {entries.map(({ number, at, actor, token, action, subject, detail, refusal }) => (
              <tr key={number}>
                <td data-label="When">{new Date(at).toLocaleString()}</td>
                <td data-label="Who" class="long-name">
                  {shownName(actor)}
                  <span class="muted sub">
                    <code>{token}</code>
                  </span>
                </td>
                <th scope="row" data-label="What" class="long-name">
                  {actionText(action)}
                  {subject !== "" && (
                    <span class="muted sub">
                      <code>{shownName(subject)}</code>
                    </span>
                  )}
                </th>
                <td data-label="Detail" class="wide long-name">
                  <bdi>{shownText(detail)}</bdi>
                  {refusal !== null && <span class="bad sub">refused: {refusal}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="muted">
        The newest 100; <code>manyhands audit</code> lists more.
      </p>
    </section>
  );
}

/** "POST /api/jobs/{id}/cancel" → "cancel job". */
export function actionText(action: string): string {
  const [method = "", path = ""] = action.split(" ", 2);
  const parts = path.split("/").filter((part) => part !== "" && part !== "api" && !part.startsWith("{"));
  const [noun = "", verb] = parts;
  const one = noun === "sign-in" ? "sign-in" : noun.replace(/s$/, "");
  if (method === "DELETE")
    return `${noun === "sign-in" ? "end" : noun === "bans" ? "lift" : noun === "tokens" ? "revoke" : "delete"} ${verb ?? one}`;
  return verb === undefined ? (noun === "tokens" ? "make token" : one) : `${verb} ${one}`;
}
