/** What Q Company sells, where, by whom and to whom: the values that a generated feed is made of. */

/** `id, name, category, price` of every product. */
export const PRODUCTS = [
  ["1", "Laptop", "Electronics", "999.99"],
  ["2", "Smartphone", "Electronics", "699.99"],
  ["3", "Tablet", "Electronics", "299.99"],
  ["4", "Headphones", "Electronics", "99.99"],
  ["5", "T-Shirt", "Clothing", "19.99"],
  ["6", "Jeans", "Clothing", "49.99"],
  ["7", "Dress", "Clothing", "59.99"],
  ["8", "Sneakers", "Footwear", "79.99"],
  ["9", "Boots", "Footwear", "129.99"],
  ["10", "Sandals", "Footwear", "39.99"],
  ["11", "TV", "Electronics", "899.99"],
  ["12", "Monitor", "Electronics", "299.99"],
  ["13", "Printer", "Electronics", "149.99"],
  ["14", "Camera", "Electronics", "399.99"],
  ["15", "Hoodie", "Clothing", "29.99"],
  ["16", "Skirt", "Clothing", "39.99"],
  ["17", "Blouse", "Clothing", "29.99"],
  ["18", "Boots", "Footwear", "149.99"],
  ["19", "Sandals", "Footwear", "29.99"],
  ["20", "Heels", "Footwear", "59.99"],
  ["21", "Microwave", "Appliances", "129.99"],
  ["22", "Coffee Maker", "Appliances", "79.99"],
  ["23", "Toaster", "Appliances", "39.99"],
  ["24", "Blender", "Appliances", "49.99"],
  ["25", "Washing Machine", "Appliances", "499.99"],
  ["26", "Vacuum Cleaner", "Appliances", "199.99"],
  ["27", "Iron", "Appliances", "29.99"],
  ["28", "Hair Dryer", "Appliances", "19.99"],
  ["29", "Hair Straightener", "Appliances", "39.99"],
  ["30", "Electric Kettle", "Appliances", "24.99"],
] as const;

export const FIRST_NAMES = [
  "Alexander",
  "Ava",
  "Emma",
  "James",
  "John",
  "Mia",
  "Michael",
  "Olivia",
  "Sophia",
  "William",
];
export const LAST_NAMES = [
  "Brown",
  "Davis",
  "Johnson",
  "Jones",
  "Miller",
  "Moore",
  "Smith",
  "Taylor",
  "Williams",
  "Wilson",
];
export const MAIL_HOSTS = ["yahoo", "gmail", "outlook", "hotmail"];

/** What trails the `.com` of e-mails. Every one of them has something. */
export const MAIL_JUNK = [
  "|",
  "\\",
  "{",
  ";",
  "^",
  "'",
  "*",
  "%x",
  ">",
  "}4",
  "]x",
  "#4r",
  "[",
  "(",
  "$u",
  '"',
  "m",
  ":",
  " ",
  "&",
  "/",
  "<",
  ")x",
];

/** `location, date of establishment, class`; the sixth opened later. */
export const BRANCHES = [
  ["New York", "2017-01-15", "A"],
  ["Los Angeles", "2016-07-28", "B"],
  ["Chicago", "2015-03-10", "A"],
  ["Houston", "2016-11-05", "D"],
  ["Phoenix", "2017-09-20", "C"],
  ["Oklahoma", "2016-09-20", "A"],
] as const;

/** Sales agents; from the eleventh on they were hired later. */
export const AGENTS = [
  "John Doe",
  "Jane Smith",
  "Michael Johnson",
  "Emily Brown",
  "David Wilson",
  "Emma Taylor",
  "Christopher Miller",
  "Olivia Davis",
  "Daniel Martinez",
  "Sophia Moore",
  "john wick",
];

export const STREETS = [
  "Henderson Avenue",
  "Linden Circle",
  "Addison Street",
  "McGregor Court",
  "Brickside Court",
  "Westerly Street",
  "White Oak Drive",
  "Chrissy's Court",
  "Old Mill Road",
  "1/2 6th Street Southeast",
];

/** `city, state, first digits of the ZIP code`. A blank city is as delivered. */
export const CITIES = [
  ["Savannah", "GA", "314"],
  ["Somerville", "MA", "021"],
  ["Berkeley", "CA", "947"],
  ["Montgomery", "AL", "361"],
  ["Riverview", "FL", "335"],
  ["Manchester", "CT", "060"],
  ["Arvada", "CO", "800"],
  ["Nashville", "TN", "372"],
  ["Washington", "DC", "200"],
  ["Fayetteville", "AR", "727"],
  ["Glendale", "AZ", "853"],
  ["Louisville", "KY", "402"],
  ["Anchorage", "AK", "995"],
  ["Panama City", "FL", "324"],
  ["Oklahoma City", "OK", "731"],
  ["Annapolis", "MD", "214"],
  ["Castleton", "VT", "057"],
  ["Boxford", "MA", "019"],
  ["Northfield", "KY", "401"],
  ["", "VT", "054"],
] as const;

export const OFFLINE_PAYMENTS = ["Cash", "Credit Card"];
export const ONLINE_PAYMENTS = ["Credit Card", "PayPal", "Stripe"];
