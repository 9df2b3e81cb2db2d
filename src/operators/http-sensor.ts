/** `httpSensor`: waits until a server answers as wished. */
import { z } from "zod";
import { defineSensor } from "../dag/define-operator.ts";
import type { Json } from "../dag/spec.ts";
import { httpTargetSchema } from "./http.ts";

/** Config of {@link httpSensor}. */
export const httpSensorSchema = httpTargetSchema
  .extend({
    /** Statuses that are waited for; 200 to 299 unless set. */
    expect: z.array(z.number().int().min(200).max(599)).min(1).optional(),
    /** What the answer's JSON must hold; any answer will do unless set. */
    json: z
      .strictObject({
        /** JSON pointer (RFC 6901): `/status`, `/items/0/id`; the whole answer when empty. */
        at: z.string().regex(/^(\/.*)?$/, "a JSON pointer is empty or begins with /"),
        /** Met by one of these values; by anything but null, false and absence unless set. */
        is: z
          .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
          .min(1)
          .optional(),
        /** Fails at once on one of these values. */
        failOn: z.array(z.union([z.string(), z.number(), z.boolean()])).default([]),
      })
      .optional(),
    /** Of one request. */
    timeoutSeconds: z.number().positive().max(30).default(10),
  })
  .refine((config) => (config.url === undefined) !== (config.connection === undefined), "set either url or connection");

/** Waits for an answer; the value at `json.at`, or else the status, is its value. See docs/operators/http-sensor.md. */
export const httpSensor = defineSensor<Json, typeof httpSensorSchema>("http_sensor", httpSensorSchema);
