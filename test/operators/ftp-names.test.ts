import test from "ava";
import { nameMatcher } from "../../src/operators/ftp-listing.ts";
import { feedWorld } from "./feed.ts";

test("names with spaces, quotes and other scripts land; glob characters are encoded in staging", async (t) => {
  const world = await feedWorld(t);
  const names = [`branches_SS_raw_1 it's "new" ü 日本.csv`, "branches_SS_raw_1[a]{b}*?.csv"];
  for (const [i, name] of names.entries()) world.ftp.put(`/group1/${name}`, `${i}`);
  const { files } = await world.ingest(1);
  t.deepEqual(files.map((file) => file.name).sort(), names.toSorted());
  t.true(files.some((file) => file.path.endsWith(`/${names[0]}`)));
  t.true(files.some((file) => file.path.endsWith("/branches_SS_raw_1%5Ba%5D%7Bb%7D%2A%3F.csv")));
});

test("foreign files, folders in place of files and empty folders are logged and left alone", async (t) => {
  const world = await feedWorld(t);
  world.batch(1);
  world.ftp.put("/group1/readme.txt", "hello");
  world.ftp.put("/group1/sales_agents_SS_raw_2.csv", "of another batch");
  world.ftp.put("/group1/branches_SS_raw_1b.csv/inside.csv", "a folder with a file's name");
  world.ftp.put("/groupx/file.csv", "");
  world.ftp.folders.add("/group7");
  const { files, lines } = await world.ingest(null);
  t.is(files.length, 3);
  const warnings = lines.filter((line) => line.level === "warn").map((line) => line.message);
  for (const part of [
    "readme.txt",
    "sales_agents_SS_raw_2.csv",
    "is a folder where a file",
    "/groupx",
    "/group7 is empty",
  ]) {
    t.true(
      warnings.some((warning) => warning.includes(part)),
      part,
    );
  }
});

test("a name with a line break in a listing hurts nothing else", async (t) => {
  const world = await feedWorld(t);
  world.ftp.folders.add("/group1");
  world.ftp.put("/group1/branches_SS_raw_1.csv", "x");
  world.ftp.faults.rawListings.set("/group1", [
    "type=file;size=1;modify=20261122100000; branches_SS_raw_1.csv",
    "type=file;size=1;modify=20261122100000; sales_agents_SS",
    "_raw_1.csv",
  ]);
  t.deepEqual(
    (await world.ingest(1)).files.map((file) => file.name),
    ["branches_SS_raw_1.csv"],
  );
});

test("patterns match whole names; {n} is the batch's own number", (t) => {
  const matches = nameMatcher("sales_{n}*.csv", 7);
  t.is(matches("sales_7.csv"), 7);
  t.is(matches("sales_007 (copy).csv"), 7);
  t.is(matches("sales_8.csv"), null);
  t.is(matches("xsales_7.csv"), null);
  t.is(nameMatcher("a+b.csv", null)("a+b.csv"), true);
  t.is(nameMatcher("a.csv", null)("axcsv"), null);
  t.is(nameMatcher("group{n}", null)("group10"), 10);
});
