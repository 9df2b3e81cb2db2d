/** The frame of every page: rail, top bar, palette, keys. Shows the login page when nobody is logged in. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { useEffect } from "react";
import { ErrorNote } from "../components/feedback.tsx";
import { Toasts } from "../components/toasts.tsx";
import { ApiError } from "../lib/http.ts";
import { connectLive } from "../lib/live.ts";
import { meQuery } from "../lib/queries.ts";
import { LoginPage } from "./login-page.tsx";
import { Overlays, useOverlays } from "./overlays.tsx";
import { Rail } from "./rail.tsx";
import { TopBar } from "./top-bar.tsx";
import "./shell.css";

/** Root of the route tree. */
export function Shell() {
  const me = useQuery({ ...meQuery, refetchInterval: (query) => (query.state.status === "error" ? 3000 : false) });
  if (me.isPending) return null;
  if (me.data) return <SignedIn />;
  if (ApiError.from(me.error).status === 401) return <LoginPage />;
  return (
    <div className="shell-alone">
      <ErrorNote error={me.error} onRetry={() => void me.refetch()} />
    </div>
  );
}

function SignedIn() {
  const client = useQueryClient();
  const overlays = useOverlays();
  useEffect(() => connectLive(client), [client]);
  return (
    <div className="shell">
      <a className="skip-link" href="#content">
        Skip to the content
      </a>
      <Rail />
      <TopBar onSearch={() => overlays.open("palette")} onHelp={() => overlays.open("keys")} />
      <main className="shell-content" id="content" tabIndex={-1}>
        <Outlet />
      </main>
      <Overlays {...overlays} />
      <Toasts />
    </div>
  );
}
