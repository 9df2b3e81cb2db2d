/** Every kind of bad input and what the platform makes of it: the test runs this table, docs/bad-input.md is written from it. */

/** What becomes of a file. Counts that are not named are 0. */
export interface Outcome {
  readonly loaded?: number;
  readonly duplicate?: number;
  readonly conflict?: number;
  readonly quarantined?: number;
  /** Reason → rows. */
  readonly reasons?: Readonly<Record<string, number>>;
  /** Why the whole file was refused. */
  readonly rejected?: string;
}

/** One file of bad input. */
export interface BadInput {
  /** What is wrong with the file. */
  readonly input: string;
  /** What happens, in a sentence. */
  readonly rule: string;
  readonly content: Buffer;
  /** Name of the staged file, where the name is the point. */
  readonly fileName?: string;
  readonly outcome: Outcome;
}

type Sale = Readonly<Record<string, string>>;

const COLUMNS = [
  "transaction_date",
  "transaction_id",
  "customer_id",
  "customer_fname",
  "customer_lname",
  "customer_email",
  "sales_agent_id",
  "branch_id",
  "product_id",
  "product_name",
  "product_category",
  "offer_1",
  "offer_2",
  "offer_3",
  "offer_4",
  "offer_5",
  "units",
  "unit_price",
  "is_online",
  "payment_method",
  "shipping_address",
];

/** Agents and branches that the cases may name. */
export const REFERENCES = {
  branches: "branch_id,location,establish_date,class\n1,New York,2017-01-15,A\n",
  sales_agents: "sales_person_id,name,hire_date\n1,John Doe,2020-6-3\n",
};

const ONLINE: Sale = {
  sales_agent_id: "",
  branch_id: "",
  is_online: "yes",
  shipping_address: "1 Elm Street/Savannah/GA/31401",
};

let nextId = 0;

/** A good branch sale of its own transaction_id, changed as told. */
function sale(changes: Sale = {}): Sale {
  nextId++;
  return {
    transaction_date: "2023-5-20",
    transaction_id: `trx-${nextId}`,
    customer_id: "85469",
    customer_fname: "Ada",
    customer_lname: "Brown",
    customer_email: "ada.brown@mail.com;",
    sales_agent_id: "1",
    branch_id: "1",
    product_id: "22",
    product_name: "Coffee Maker",
    product_category: "Appliances",
    units: "2",
    unit_price: "79.99",
    is_online: "no",
    payment_method: "Cash",
    ...changes,
  };
}

function cell(value: string): string {
  return /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function line(row: Sale, columns: readonly string[] = COLUMNS): string {
  return columns.map((column) => cell(row[column] ?? "")).join(",");
}

function file(
  rows: readonly Sale[],
  columns: readonly string[] = COLUMNS,
  header: readonly string[] = columns,
): Buffer {
  return Buffer.from([header.join(","), ...rows.map((row) => line(row, columns)), ""].join("\n"));
}

/** A file of one good sale and one changed for the worse: the good one is loaded, the other quarantined for `reasons`. */
function badRow(input: string, rule: string, changes: Sale, ...reasons: string[]): BadInput {
  const counts = Object.fromEntries(reasons.map((reason) => [reason, 1]));
  return {
    input,
    rule,
    content: file([sale(), sale(changes)]),
    outcome: { loaded: 1, quarantined: 1, reasons: counts },
  };
}

/** A file whose second of three lines is replaced by `broken`. */
function badLine(input: string, rule: string, broken: string | Buffer, reasons: Record<string, number>): BadInput {
  const [before, after] = [`${COLUMNS.join(",")}\n${line(sale())}\n`, `\n${line(sale())}\n`];
  const content = Buffer.concat([Buffer.from(before), Buffer.from(broken), Buffer.from(after)]);
  return { input, rule, content, outcome: { loaded: 2, quarantined: 1, reasons } };
}

function notUtf8(): Buffer {
  const [head = "", tail = ""] = line(sale({ customer_fname: "?" })).split("?");
  return Buffer.concat([Buffer.from(head), Buffer.from([0xff, 0xfe]), Buffer.from(tail)]);
}

const WITHOUT_UNITS = COLUMNS.filter((column) => column !== "units");
const RAGGED = COLUMNS.slice(0, -1);
const MISSPELT = COLUMNS.map((column) =>
  column.replace("customer_lname", "cusomter_lname").replace("unit_price", "unit_prise"),
);
const FIRST_COPY = sale();
const CONFLICTING = sale();

const FILES: BadInput[] = [
  {
    input: "Empty file",
    rule: "has no columns: refused whole",
    content: Buffer.alloc(0),
    outcome: { rejected: "empty_file" },
  },
  { input: "Header only", rule: "loaded, with no rows", content: file([]), outcome: {} },
  {
    input: "Missing column",
    rule: "columns cannot be matched: every row quarantined, file refused",
    content: file([sale(), sale()], WITHOUT_UNITS),
    outcome: { quarantined: 2, reasons: { "missing_column:units": 2 }, rejected: "missing_column:units" },
  },
  {
    input: "Column named twice",
    rule: "nobody can tell which is meant: every row quarantined, file refused",
    content: file([sale()], [...COLUMNS, "units"]),
    outcome: { quarantined: 1, reasons: { "repeated_column:units": 1 }, rejected: "repeated_column:units" },
  },
  {
    input: "Extra column",
    rule: "ignored, and named in the job's result",
    content: file([sale({ loyalty: "gold" })], ["loyalty", ...COLUMNS]),
    outcome: { loaded: 1 },
  },
  {
    input: "Reordered columns",
    rule: "read by name, never by position",
    content: file([sale()], [...COLUMNS].reverse()),
    outcome: { loaded: 1 },
  },
  {
    input: "Blank columns",
    rule: "removed",
    content: file([sale()], ["", ...COLUMNS.slice(0, 3), "", ...COLUMNS.slice(3)]),
    outcome: { loaded: 1 },
  },
  {
    input: "Misspelt columns",
    rule: "matched by known spellings, or when at most two letters are off and one column alone fits",
    content: file([sale()], COLUMNS, MISSPELT),
    outcome: { loaded: 1 },
  },
  {
    input: "CRLF line ends and a byte order mark",
    rule: "read as if they were not there",
    content: Buffer.from(
      `\ufeff${file([sale(), sale(ONLINE)])
        .toString()
        .replaceAll("\n", "\r\n")}`,
    ),
    outcome: { loaded: 2 },
  },
  {
    input: "Rows that end before the header does",
    rule: "the fields that are missing are null",
    content: file([sale()], RAGGED, COLUMNS),
    outcome: { loaded: 1 },
  },
  {
    input: "A name with blanks, quotes and pattern characters",
    rule: "is only a name",
    fileName: `it's "new" [1]*.csv`,
    content: file([sale()]),
    outcome: { loaded: 1 },
  },
  {
    input: "Rows that came before, and a blank line",
    rule: "the first arrival counts, the later is a duplicate; blank lines are no rows",
    content: Buffer.concat([file([FIRST_COPY, CONFLICTING, FIRST_COPY]), Buffer.from("\n  \n")]),
    outcome: { loaded: 2, duplicate: 1 },
  },
  {
    input: "A row that came before with other values",
    rule: "a duplicate that is also counted as a conflict; the first arrival stays",
    content: file([{ ...CONFLICTING, units: "9" }]),
    outcome: { duplicate: 1, conflict: 1 },
  },
];

const LINES: BadInput[] = [
  badLine(
    "A quote that never closes",
    "costs its own line and no other",
    line(sale()).replace("ada.brown@mail.com;", '"ada.brown@mail.com'),
    { quote_not_closed: 1 },
  ),
  badLine("A cell of 1 MB", "no line is longer than 64 KiB", line(sale({ customer_fname: "x".repeat(1 << 20) })), {
    line_too_long: 1,
  }),
  badLine("Bytes that are not UTF-8", "kept in quarantine with replacement characters", notUtf8(), { not_utf8: 1 }),
  badLine("More fields than the header", "nobody can tell which is too many", `${line(sale())},1,2`, {
    too_many_fields: 1,
  }),
];

const ROWS: BadInput[] = [
  badRow("Negative units", "units are at least 1", { units: "-2" }, "negative_units"),
  badRow("Units in words", "units are a whole number", { units: "two" }, "invalid_units"),
  badRow("Zero units", "units are at least 1", { units: "0" }, "invalid_units"),
  badRow("Negative price", "a price is not below zero", { unit_price: "-79.99" }, "negative_unit_price"),
  badRow("Price in words", "a price is a number of at most two decimals", { unit_price: "N/A" }, "invalid_unit_price"),
  badRow(
    "A total beyond the table's range",
    "units × price has at most ten digits before the point",
    { units: "2000000000", unit_price: "99999.99" },
    "total_out_of_range",
  ),
  badRow("A day no calendar has", "2023-2-30", { transaction_date: "2023-2-30" }, "invalid_transaction_date"),
  badRow("A month no calendar has", "2023-13-1", { transaction_date: "2023-13-1" }, "invalid_transaction_date"),
  badRow("A date in another order", "20/5/2023", { transaction_date: "20/5/2023" }, "invalid_transaction_date"),
  badRow("Two offers at once", "a sale has at most one", { offer_1: "True", offer_4: "True" }, "more_than_one_offer"),
  badRow("An offer that is neither True nor blank", "is no offer", { offer_2: "maybe" }, "invalid_offer"),
  badRow(
    "Unknown agent",
    "waits in quarantine for a file that names the agent",
    { sales_agent_id: "99" },
    "unknown_sales_agent",
  ),
  badRow(
    "Unknown branch",
    "waits in quarantine for a file that names the branch",
    { branch_id: "99" },
    "unknown_branch",
  ),
  badRow(
    "Branch sale without agent",
    "a branch sale names its agent",
    { sales_agent_id: "" },
    "missing_sales_agent_id",
  ),
  badRow("No transaction id", "ids are needed", { transaction_id: " " }, "missing_transaction_id"),
  badRow("Neither online nor not", "is_online is yes or no", { is_online: "perhaps" }, "invalid_is_online"),
  badRow(
    "An address of 3 parts",
    "an address is street/city/state/zip",
    { ...ONLINE, shipping_address: "Savannah/GA/31401" },
    "address_too_short",
  ),
  badRow(
    "A state that is not two letters",
    "Georgia",
    { ...ONLINE, shipping_address: "1 Elm Street/Savannah/Georgia/31401" },
    "invalid_state",
  ),
  {
    input: "An address of 6 parts",
    rule: "read from the right: the slashes belong to the street",
    content: file([sale({ ...ONLINE, shipping_address: "Unit 1/2/421 6th Street/Washington/DC/20003" })]),
    outcome: { loaded: 1 },
  },
  {
    input: "A blank city",
    rule: "loaded as an empty city",
    content: file([sale({ ...ONLINE, shipping_address: "270 Chrissy's Court//VT/05443" })]),
    outcome: { loaded: 1 },
  },
  badRow(
    "Several things wrong at once",
    "every reason is given",
    { transaction_date: "2023-99-1", units: "-1", unit_price: "free", offer_1: "True", offer_2: "True" },
    "invalid_transaction_date",
    "negative_units",
    "invalid_unit_price",
    "more_than_one_offer",
  ),
];

/** All cases, in the order in which their files arrive. */
export const BAD_INPUT: readonly BadInput[] = [...FILES, ...LINES, ...ROWS];
