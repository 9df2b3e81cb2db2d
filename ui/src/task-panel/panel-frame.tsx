/** Content with the side panel of a task instance beside it. The panel is part of the address; Escape closes it. */
import { useNavigate } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useCallback, useEffect } from "react";
import { Skeleton } from "../components/feedback.tsx";
import type { PanelSearch } from "../lib/search.ts";
import { isTyping } from "../shell/overlays.tsx";
import "./panel-frame.css";

const TaskPanel = lazy(() => import("./task-panel.tsx"));

interface Props {
  dagId: string;
  /** The run of the panel; without it there is none. */
  runId: string | undefined;
  search: PanelSearch;
  children: ReactNode;
}

export function PanelFrame({ dagId, runId, search, children }: Props) {
  const navigate = useNavigate();
  const isOpen = runId !== undefined && search.task !== undefined;
  const setSearch = useCallback(
    (next: PanelSearch) => void navigate({ to: ".", search: next, replace: true, resetScroll: false }),
    [navigate],
  );
  const close = useCallback(() => setSearch(search.run ? { run: search.run } : {}), [setSearch, search.run]);
  useEffect(() => {
    if (!isOpen) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !isTyping(event.target) && !document.querySelector("dialog[open]")) close();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [isOpen, close]);
  return (
    <div className="panel-frame" data-open={isOpen || undefined}>
      <div className="panel-main">{children}</div>
      {runId !== undefined && search.task !== undefined && (
        <aside className="panel" aria-label={`Task ${search.task}`}>
          <Suspense fallback={<Skeleton />}>
            <TaskPanel
              at={{ dagId, runId, taskId: search.task, mapIndex: search.map ?? -1 }}
              search={search}
              onSearch={setSearch}
              onClose={close}
            />
          </Suspense>
        </aside>
      )}
    </div>
  );
}
