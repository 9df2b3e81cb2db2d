/** Command palette and key help, and the keys that open them from anywhere. */
import { useRouter } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { KeyHelp } from "./key-help.tsx";

const loadPalette = () => import("./palette.tsx");
const Palette = lazy(loadPalette);

/** Letters typed right after the key must not be lost while the palette is being fetched. */
const PRELOAD_AFTER_MS = 2000;

type Overlay = "palette" | "keys";

interface OverlayState {
  shown: Overlay | null;
  open: (overlay: Overlay) => void;
  close: () => void;
}

const GO_TO = { h: "/", d: "/dags", v: "/services", s: "/datasets", b: "/dashboards", q: "/sql" } as const;
const CHORD_MS = 1000;

/** Which overlay is open, and the global keys. */
export function useOverlays(): OverlayState {
  const router = useRouter();
  const [shown, setShown] = useState<Overlay | null>(null);
  const open = useCallback((overlay: Overlay) => setShown(overlay), []);
  const close = useCallback(() => setShown(null), []);
  useEffect(() => {
    const timer = setTimeout(() => void loadPalette(), PRELOAD_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    let chordUntil = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setShown((current) => (current === "palette" ? null : "palette"));
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || shown !== null || isTyping(event.target)) return;
      const place = GO_TO[event.key as keyof typeof GO_TO];
      if (place !== undefined && performance.now() < chordUntil) void router.navigate({ to: place });
      chordUntil = event.key === "g" ? performance.now() + CHORD_MS : 0;
      if (event.key === "?") setShown("keys");
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [router, shown]);
  return { shown, open, close };
}

/** Whether a key belongs to what has the focus. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

export function Overlays({ shown, close }: OverlayState) {
  if (shown === "keys") return <KeyHelp onClose={close} />;
  if (shown === "palette") {
    return (
      <Suspense>
        <Palette onClose={close} />
      </Suspense>
    );
  }
  return null;
}
