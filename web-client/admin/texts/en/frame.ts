/** Words around the parts of the page, and words that several parts share. */
export const frame = {
  title: "Manyhands: server",
  pages: "Pages",
  status: "Status",
  access: "Access",
  signOut: "Sign out",
  asking: "Asking the server…",
  waiting: "Waiting for the first figures…",
  dismiss: "Dismiss",
  stale: (seconds: string) => `These figures are ${seconds} s old:`,
  staleHow: "the server stopped sending. The page connects again by itself as soon as the server answers.",
  leave: "No, leave it",
  copy: "Copy",
  copied: "Copied",
  qrCode: (text: string) => `QR code of ${text}`,
  actions: "Actions",
  log: "Log",
  newestLines: (shown: string, all: string) => `The newest ${shown} of ${all} lines.`,
  on: (client: string) => `on ${client}`,
  signIn: {
    title: "Sign in",
    wrongRole: (role: string) =>
      `You are signed in as a ${role}; this page needs the token of an administrator.`,
    how: "This page needs the token of an administrator. The server wrote one to a file when it started, and prints where; `manyhands token create --role admin` makes another.",
    token: "Token",
  },
};
