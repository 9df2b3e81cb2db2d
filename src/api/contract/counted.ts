/** How far totals of lists are exact: a module of its own, so that the web client can have it without the schemas. */
export { COUNTED } from "../../metadata/views/counted.ts";
