-- Services in the catalog: jobs of the graph, writers of datasets, and what they tell of the fields of documents that land.

alter table catalog_job add column service_id text;
comment on column catalog_job.service_id is 'Set for services of qflow.';
create unique index catalog_job_service on catalog_job (service_id) where service_id is not null;

-- Which version of each service the declared edges come from.
create table catalog_declared_service (
  service_id text primary key,
  version text not null
);

create table catalog_field (
  dataset text not null,
  -- Path below the top of the document.
  name text not null,
  -- One that is seen with two types has two rows.
  type text not null,
  service_id text not null,
  first_seen_at timestamptz not null default now(),
  -- To the hour.
  last_seen_at timestamptz not null default now(),
  primary key (dataset, name, type)
);
comment on table catalog_field is 'Fields of documents that services landed in a dataset and that no column of it holds.';

-- Events that no task announced: those of services among them.
create index dataset_event_outside on dataset_event (dataset, id) where task_instance_id is null;
