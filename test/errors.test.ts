import test from "ava";
import { messageOf } from "../src/errors.ts";

test("whatever is thrown has a message", (t) => {
  t.is(messageOf(new TypeError("wrong")), "wrong");
  t.is(messageOf({ name: "Status Error", message: "no session" }), "no session");
  t.is(messageOf("text"), "text");
  t.is(messageOf(null), "null");
  t.is(messageOf({ message: 5 }), "[object Object]");
});
