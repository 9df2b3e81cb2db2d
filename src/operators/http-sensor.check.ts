/** The check of `httpSensor`. */
import type { z } from "zod";
import type { Json } from "../dag/spec.ts";
import { messageOf, QflowError } from "../errors.ts";
import type { CheckContext, Checked, SensorCheck } from "./check.ts";
import { type HttpResponse, httpRequest, jsonOf, nameOf } from "./clients/http.ts";
import { valueAt } from "./clients/json-text.ts";
import { targetOf } from "./http.run.ts";
import type { httpSensorSchema } from "./http-sensor.ts";

type Config = z.output<typeof httpSensorSchema>;
type Condition = { [K in keyof Config]: Json };

/** Larger answers are not looked at, in bytes. */
const MAX_BYTES = 1_048_576;
const MAX_REDIRECTS = 5;

export const check: SensorCheck<Config, Condition, Json> = {
  looks: "each",
  async prepare(config, _given, context) {
    const { url } = await target(config, context);
    const goal = config.json === undefined ? "to answer" : `to answer as wished at "${config.json.at}"`;
    const condition = JSON.parse(JSON.stringify(config)) as Condition;
    return { condition, resource: url.origin, note: `for ${nameOf(url)} ${goal}` };
  },
  async look(waits, context) {
    // The condition is the config as it was checked.
    return Promise.all(waits.map(({ condition }) => ask(condition as unknown as Config, context)));
  },
};

async function target(config: Config, context: CheckContext) {
  return targetOf(config, config.connection === undefined ? null : await context.connection(config.connection));
}

async function ask(config: Config, context: CheckContext): Promise<Checked<Json>> {
  const { url, headers } = await target(config, context);
  const response = await httpRequest({
    url,
    headers,
    method: "GET",
    body: null,
    timeoutMs: config.timeoutSeconds * 1000,
    maxBytes: MAX_BYTES,
    maxRedirects: MAX_REDIRECTS,
    signal: context.signal,
  });
  const { status } = response;
  const isExpected = config.expect?.includes(status) ?? (status >= 200 && status < 300);
  if (!isExpected) return { state: "unmet", note: `${nameOf(url)} answered ${status}` };
  if (config.json === undefined) return { state: "met", value: status };
  const answer = jsonOrNote(url, response);
  if ("note" in answer) return { state: "unmet", note: answer.note };
  return judge(config.json, valueAt(answer.json as Json, config.json.at), nameOf(url));
}

function judge({ at, is, failOn }: NonNullable<Config["json"]>, value: Json | undefined, name: string): Checked<Json> {
  const shown = value === undefined ? "nothing" : JSON.stringify(value).slice(0, 200);
  const note = `${name} has ${shown} at "${at}"`;
  if (failOn.some((one) => one === value)) return { state: "failed", error: new QflowError("SENSOR_FAILED", note) };
  const isMet =
    is === undefined ? value !== undefined && value !== null && value !== false : is.some((one) => one === value);
  return isMet ? { state: "met", value: value ?? null } : { state: "unmet", note };
}

/** A server that starts, or a proxy before it, may answer with a page. */
function jsonOrNote(url: URL, response: HttpResponse): { json: unknown } | { note: string } {
  try {
    return { json: jsonOf(url, response) };
  } catch (error) {
    return { note: messageOf(error) };
  }
}
