/** A small mail server that speaks enough SMTP to take a message; no TLS. */

import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import type { ExecutionContext } from "ava";

/** What it was sent. */
export interface Mail {
  readonly from: string;
  readonly to: string[];
  readonly data: string;
}

/** Starts one on a free port of the loopback; `refuse` is what it answers to every recipient instead of taking it. */
export async function fakeSmtp(t: ExecutionContext, refuse?: string): Promise<{ port: number; mails: Mail[] }> {
  const mails: Mail[] = [];
  const server = createServer((socket) => converse(socket, mails, refuse));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => server.close());
  return { port: (server.address() as AddressInfo).port, mails };
}

function converse(socket: Socket, mails: Mail[], refuse: string | undefined): void {
  let mail = { from: "", to: [] as string[], data: "" };
  let inData = false;
  let rest = "";
  const answer = (line: string) => socket.write(`${line}\r\n`);
  const heard = (line: string) => {
    if (inData && line !== ".") {
      mail.data += `${line}\n`;
    } else if (inData) {
      inData = false;
      mails.push(mail);
      mail = { from: "", to: [], data: "" };
      answer("250 taken");
    } else if (/^EHLO/i.test(line)) answer("250 fake");
    else if (/^MAIL FROM/i.test(line)) {
      mail.from = line;
      answer("250 ok");
    } else if (/^RCPT TO/i.test(line)) {
      mail.to.push(line);
      answer(refuse ?? "250 ok");
    } else if (/^DATA/i.test(line)) {
      inData = true;
      answer("354 go on");
    } else {
      answer("221 bye");
      socket.end();
    }
  };
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString("utf8")).split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) heard(line);
  });
  answer("220 fake");
}
