/** An address that leads nowhere. */
import { Link } from "@tanstack/react-router";
import { Empty } from "../components/feedback.tsx";

export function NotFound() {
  return (
    <Empty title="There is no such page">
      The address may be mistyped, or what it named was removed. <Link to="/">Go to the home page</Link>
    </Empty>
  );
}
