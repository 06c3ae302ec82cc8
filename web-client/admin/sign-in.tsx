import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { PlatformError } from "../../shared/errors.ts";
import { Sentence } from "./sentence.tsx";
import { signedIn, signIn } from "./state.ts";
import { texts } from "./texts/current.ts";

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
  const { signIn: text } = texts.frame;
  return (
    <section class="card sign-in" aria-labelledby="sign-in">
      <h2 id="sign-in">{text.title}</h2>
      <p class="muted">
        <Sentence text={role ? text.wrongRole(role) : text.how} />
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <label>
          <span>{text.token}</span>
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
        <p id="sign-in-problem" class="problem" role="alert" lang="en">
          {problem}
        </p>
        <button type="submit" class="button primary" disabled={busy}>
          {text.title}
        </button>
      </form>
    </section>
  );
}
