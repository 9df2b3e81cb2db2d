/** What the command line uses of the notifications room. */
export { type Sender, type SenderOptions, startSender } from "./sender.ts";
