/** Short confirmations at the edge of the page, with a link where there is something to look at. */
import { type ReactNode, useSyncExternalStore } from "react";
import "./toasts.css";

interface Toast {
  id: number;
  text: string;
  link?: ReactNode;
}

const SHOWN_MS = 6000;
let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function publish(next: Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

/** Shows one for six seconds. */
export function toast(content: { text: string; link?: ReactNode }): void {
  const id = nextId;
  nextId += 1;
  publish([...toasts.slice(-2), { id, ...content }]);
  setTimeout(() => publish(toasts.filter((entry) => entry.id !== id)), SHOWN_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The place where they appear; once, in the shell. */
export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((entry) => (
        <div key={entry.id} className="toast">
          {entry.text} {entry.link}
        </div>
      ))}
    </div>
  );
}
