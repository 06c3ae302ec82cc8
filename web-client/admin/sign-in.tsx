import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { PlatformError } from "../../shared/errors.ts";
import { signedIn, signIn } from "./state.ts";

/** The form that takes a token. */
export function SignIn(): JSX.Element {
  const token = useSignal("");
  const problem = useSignal<string | undefined>(undefined);
  const busy = useSignal(false);
  const submit = async (): Promise<void> => {
    busy.value = true;
    problem.value = undefined;
    try {
      await signIn(token.value.trim());
      token.value = "";
    } catch (error) {
      const { message, remedy } = PlatformError.from(error);
      problem.value = `${message} ${remedy}`;
    }
    busy.value = false;
  };
  const role = signedIn.value?.role;
  return (
    <section class="card sign-in" aria-labelledby="sign-in">
      <h2 id="sign-in">Sign in</h2>
      <p class="muted">
        {role
          ? `You are signed in as a ${role}; this page needs the token of an administrator.`
          : "This page needs the token of an administrator. The server wrote one to a file when it started, and prints where; `manyhands token create --role admin` makes another."}
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <label>
          <span>Token</span>
          <input
            type="password"
            name="token"
            autocomplete="current-password"
            required
            value={token}
            aria-invalid={problem.value !== undefined}
            aria-describedby="sign-in-problem"
            onInput={({ currentTarget }) => (token.value = currentTarget.value)}
          />
        </label>
        <p id="sign-in-problem" class="problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="button primary" disabled={busy}>
          Sign in
        </button>
      </form>
    </section>
  );
}
