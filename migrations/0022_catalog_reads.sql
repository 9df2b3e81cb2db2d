-- What reading the catalog needs.

-- The event stream asks "what changed since"; transitions are written in order of time, so a block range index is enough.
create index task_event_at on task_event using brin (at) with (pages_per_range = 16, autosummarize = on);
