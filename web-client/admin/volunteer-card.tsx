import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { ServerStatus } from "../../shared/wire/rest/status.ts";
import type { CreatedToken } from "../../shared/wire/rest/tokens.ts";
import { ClientProgram } from "./client-program.tsx";
import { CopyButton } from "./copy-button.tsx";
import { QrCode } from "../ui/qr-code.tsx";
import { act } from "./state.ts";

/** The address under which others join, as text and for a phone's camera. */
export function VolunteerCard({ status }: { status: ServerStatus }): JSX.Element {
  const invitation = useSignal<string | undefined>(undefined);
  const address = invitation.value ?? bestAddress(status.volunteerUrls);
  const invite = async (): Promise<void> => {
    const made = await act("POST", "api/tokens", { role: "volunteer", name: "invitation" });
    if (made)
      invitation.value =
        (made as CreatedToken).inviteUrl ?? `${address}/?invite=${(made as CreatedToken).token}`;
  };
  const needsInvitation = status.volunteers === "invite" && invitation.value === undefined;
  return (
    <section class="card panel join" aria-labelledby="join">
      <div class="panel-head">
        <h2 id="join">Add computers</h2>
      </div>
      {status.volunteers === "off" ? (
        <p class="muted">
          This server takes no volunteers. Start headless clients with a client token, or start the server
          with <code>--volunteers open</code>.
        </p>
      ) : needsInvitation ? (
        <>
          <p class="muted">
            Volunteers need an invitation. Anybody who has its address can compute, and nothing else.
          </p>
          <button type="button" class="button primary" onClick={() => void invite()}>
            Make an invitation
          </button>
        </>
      ) : (
        <Address address={address} />
      )}
      <ClientProgram address={bestAddress(status.volunteerUrls)} />
    </section>
  );
}

function Address({ address }: { address: string }): JSX.Element {
  return (
    <>
      <p class="muted">Open this address in a browser on any computer, and it helps.</p>
      <div class="address">
        <a href={address}>{address}</a>
        <CopyButton text={address} />
      </div>
      {isLocal(address) ? (
        <p class="muted hint">
          Only this machine can open it. To let others in, start the server with <code>--host 0.0.0.0</code>.
        </p>
      ) : (
        <QrCode text={address} />
      )}
    </>
  );
}

/** The server's address without this page's name: a proxy may have put the server under a path. */
const pageAddress = new URL(".", location.href).href.replace(/\/$/, "");

/** The page's own address, which works for others too unless it is a loopback address. */
function bestAddress(urls: readonly string[]): string {
  if (!isLocal(location.origin)) return pageAddress;
  return urls.find((url) => !isLocal(url)) ?? urls[0] ?? pageAddress;
}

function isLocal(address: string): boolean {
  const { hostname } = new URL(address);
  return hostname === "localhost" || hostname.startsWith("127.") || hostname === "[::1]";
}
