import test from "ava";
import { type ServiceOptions, service } from "../../src/dag/service.ts";
import { program, sparkStream } from "../../src/operators/index.ts";

const run = program({ command: ["run"] });

test("a service compiles to plain JSON with every default", (t) => {
  const { spec } = service(
    "events",
    { emits: ["d"], reads: ["d"], tags: ["x", "x"], notify: { on: "serviceFailing", to: "ops" } },
    run,
  );
  t.deepEqual(JSON.parse(JSON.stringify(spec)), spec);
  t.like(spec, {
    serviceId: "events",
    queue: "default",
    tags: ["x"],
    restart: { delayMs: 1_000, factor: 2, maxMs: 300_000, healthyMs: 120_000, tellAfter: 3 },
    startTimeoutMs: 300_000,
    healthTimeoutMs: 120_000,
    drainMs: 60_000,
    maxLag: null,
    emitEveryMs: 30_000,
  });
  t.deepEqual(
    spec.datasets.map(({ id }) => id),
    ["d"],
  );
  t.deepEqual(spec.notify, [{ on: ["serviceFailing"], to: ["ops"] }]);
});

for (const [what, options] of Object.entries<ServiceOptions>({
  "restart.factor": { restart: { factor: 0.5 } },
  "restart.tellAfter": { restart: { tellAfter: 0 } },
  healthTimeout: { healthTimeout: "500ms" },
  "maxLag.records": { maxLag: { records: -1 } },
  queue: { queue: "no queue" },
  "notify.on": { notify: { on: "runFailed" as never, to: "ops" } },
})) {
  test(`a wrong ${what} is refused by name`, (t) => {
    const error = t.throws(() => service("events", options, run), { code: "DAG_INVALID" });
    t.true(error?.message.includes(what), error?.message);
  });
}

test("what is no program, an id that is none and a config that does not fit are refused", (t) => {
  t.throws(() => service("events", {}, {} as never), { message: /is given no program/ });
  t.throws(() => service("no id", {}, run), { message: /service id/ });
  t.throws(() => program({ command: [] }), { code: "DAG_INVALID" });
  t.throws(() => sparkStream({ application: "a.py", packages: ["nonsense"] }), { message: /group:artifact:version/ });
});
