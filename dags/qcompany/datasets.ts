/** The datasets that Q Company's DAGs hand each other. */
import { dataset } from "qflow";

const OWNER = "data-platform";

export const feedBatches = dataset("feed.batches", {
  description: "Batches on the FTP server that hold something not loaded yet",
  owner: OWNER,
});
export const factSales = dataset("conformed.fact_sales", { description: "One row a sale", owner: OWNER });
export const agentPerformance = dataset("enriched.sales_agent_performance", {
  description: "Units that agents sold in branches, by day and names",
  owner: OWNER,
});
export const appEvents = dataset("standardized.app_events", {
  description: "Events of the app, one row a message, by hour",
  owner: OWNER,
});
export const appTopic = dataset("kafka.app-events", {
  description: "Events as the app sends them, JSON; fields come and go without warning",
  owner: OWNER,
});
export const deadLetters = dataset("standardized.dead_letters", {
  description: "Messages of the app that are no events, with the reason",
  owner: OWNER,
});
