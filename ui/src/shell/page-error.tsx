/** A page that failed to draw: the rest of the UI goes on. */
import { useRouter } from "@tanstack/react-router";
import { ErrorNote } from "../components/feedback.tsx";

export function PageError({ error }: { error: unknown }) {
  const router = useRouter();
  return (
    <div className="page">
      <ErrorNote error={error} onRetry={() => void router.invalidate()} />
    </div>
  );
}
