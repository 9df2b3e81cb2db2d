/** Serves the built web client: hashed assets for ever, the page itself always fresh, every other path as the page. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import express, { type Express } from "express";
import { QflowError } from "../errors.ts";

const FOLDER = join(import.meta.dirname, "../../ui/dist");

/** Adds the web client to an application. Where it was not built, every path answers NOT_FOUND and says so. */
export function serveWebClient(app: Express, folder = FOLDER): void {
  const page = join(folder, "index.html");
  app.use(
    "/assets",
    express.static(join(folder, "assets"), { immutable: true, maxAge: "365d", index: false, fallthrough: false }),
  );
  app.use(express.static(folder, { index: false, maxAge: "1h" }));
  app.get("/*path", (_request, response, next) => sendPage(response, next));
  app.get("/", (_request, response, next) => sendPage(response, next));

  function sendPage(response: express.Response, next: express.NextFunction): void {
    if (!existsSync(page)) {
      next(new QflowError("NOT_FOUND", "the web client is not built", { remedy: "Run `npm run ui:build`." }));
      return;
    }
    response.setHeader("Cache-Control", "no-cache");
    response.sendFile(page);
  }
}
