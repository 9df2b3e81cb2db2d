/** The event stream: what changed on the server is fetched anew, and the shell shows whether the stream is there. */
import type { QueryClient, QueryKey } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { ChangeEvent } from "../../../src/api/contract.ts";
import { isAffected, merge, NO_CHANGE } from "./change.ts";
import { url } from "./http.ts";

/** `off` = nobody is logged in, so nothing is listened to. */
export type LiveState = "off" | "connecting" | "live" | "reconnecting";

const FLUSH_MS = 400;
const RECONNECT_MS = 2000;

let state: LiveState = "off";
const listeners = new Set<() => void>();

function setState(next: LiveState): void {
  if (next === state) return;
  state = next;
  for (const listener of listeners) listener();
}

/** Whether the stream is there; re-renders when that changes. */
export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );
}

/** Listens until the returned function is called. */
export function connectLive(client: QueryClient): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let flush: ReturnType<typeof setTimeout> | undefined;
  let pending = NO_CHANGE;

  const publish = () => {
    flush = undefined;
    const change = pending;
    pending = NO_CHANGE;
    const affected = (query: { queryKey: QueryKey }) => isAffected(query.queryKey, change);
    // What is being fetched right now may have been read before the change: it is asked again after it has come.
    if (client.isFetching({ predicate: affected }) > 0) add(change);
    void client.invalidateQueries({ predicate: affected }, { cancelRefetch: false });
  };
  const add = (change: ChangeEvent) => {
    pending = merge(pending, change);
    flush ??= setTimeout(publish, FLUSH_MS);
  };
  const open = () => {
    source = new EventSource(url(["events"]));
    source.addEventListener("hello", () => {
      setState("live");
      // Anything may have changed before the stream was there.
      void client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "me" }, { cancelRefetch: false });
    });
    source.addEventListener("change", (message) => add(JSON.parse(message.data) as ChangeEvent));
    source.addEventListener("error", () => {
      setState("reconnecting");
      if (source?.readyState !== EventSource.CLOSED) return;
      // The browser gives up after an answer that is no stream (the server is starting, or the session ended).
      void client.invalidateQueries({ queryKey: ["me"] });
      retry = setTimeout(open, RECONNECT_MS);
    });
  };

  setState("connecting");
  open();
  return () => {
    source?.close();
    clearTimeout(retry);
    clearTimeout(flush);
    setState("off");
  };
}
