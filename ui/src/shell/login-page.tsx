/** What someone sees who is not logged in: how the one-time link works and how to get a new one. */
import { CopyButton } from "../components/copy.tsx";
import "./login-page.css";

const COMMAND = "npx qflow login";

export function LoginPage() {
  return (
    <main className="login">
      <div className="login-card card">
        <img src="/favicon.svg" width="36" height="36" alt="" />
        <h1>Log in to qflow</h1>
        <p>
          qflow has no password to type. It prints a one-time link when it starts; opening that link in this browser
          logs you in. A link works once and only for a short time.
        </p>
        <p>Print a new one in the folder where qflow runs:</p>
        <p className="login-command">
          <code className="grow">{COMMAND}</code>
          <CopyButton text={COMMAND} what="command" />
        </p>
        <p className="muted small">This page goes on by itself once you are logged in.</p>
      </div>
    </main>
  );
}
