"""The stream of app events: what a message says, and how batches of them become files exactly once."""
