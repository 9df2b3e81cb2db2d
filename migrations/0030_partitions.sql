-- Dataset events and runs of one partition of their data, and the events that wait for the rest of their partition.

alter table dataset_event add column partition text check (partition <> '');
comment on column dataset_event.partition is 'Which part of the dataset is new; null = all of it, or the dataset has no parts.';
alter table dag_run add column partition text check (partition <> '');

create table dataset_waiting (
  dag_id text not null references dag on delete cascade,
  event_id bigint not null references dataset_event,
  dataset text not null,
  -- Empty where the event names none.
  partition text not null,
  -- Whether the partition has all that the DAG waits for; then it gets a run as soon as there is room.
  ready boolean not null default false,
  primary key (dag_id, event_id)
);
comment on table dataset_waiting is 'Events that a consumer''s cursor has passed and no run has taken yet: one row each until its partition is complete.';
create index dataset_waiting_partition on dataset_waiting (dag_id, partition, event_id);
create index dataset_waiting_ready on dataset_waiting (dag_id, event_id) where ready;
