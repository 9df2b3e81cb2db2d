/** Is everything all right; what broke; what comes next. */
import { FailedTasks } from "./failed-tasks.tsx";
import { HealthCard } from "./health-card.tsx";
import { ImportErrors } from "./import-errors.tsx";
import { NextRuns } from "./next-runs.tsx";
import { Verdict } from "./verdict.tsx";
import "./home.css";

export function HomePage() {
  return (
    <div className="page home">
      <h1 className="visually-hidden">Home</h1>
      <Verdict />
      <ImportErrors />
      <div className="home-columns">
        <FailedTasks />
        <div className="home-side">
          <HealthCard />
          <NextRuns />
        </div>
      </div>
    </div>
  );
}
