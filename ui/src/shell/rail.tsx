/** The left rail: where one can go, in words. */
import { Link } from "@tanstack/react-router";
import { Icon, type IconName } from "../components/icon.tsx";

type Place = "/" | "/dags" | "/services" | "/datasets" | "/dashboards" | "/sql";

const PLACES: readonly { to: Place; word: string; icon: IconName }[] = [
  { to: "/", word: "Home", icon: "home" },
  { to: "/dags", word: "DAGs", icon: "dags" },
  { to: "/services", word: "Services", icon: "services" },
  { to: "/datasets", word: "Datasets", icon: "datasets" },
  { to: "/dashboards", word: "Dashboards", icon: "dashboards" },
  { to: "/sql", word: "SQL", icon: "sql" },
];

export function Rail() {
  return (
    <nav className="rail" aria-label="Main">
      <Link to="/" className="rail-brand">
        <img src="/favicon.svg" width="20" height="20" alt="" />
        qflow
      </Link>
      {PLACES.map(({ to, word, icon }) => (
        <Link key={to} to={to} className="rail-link" activeOptions={{ exact: to === "/", includeSearch: false }}>
          <Icon name={icon} />
          {word}
        </Link>
      ))}
    </nav>
  );
}
