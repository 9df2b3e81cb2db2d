-- The schema all migrations make, written by a test. Do not edit.

create table access_login_link (
  secret_hash bytea not null,
  user_name text not null,
  expires_at timestamp with time zone not null,
  used_at timestamp with time zone,
  constraint access_login_link_pkey PRIMARY KEY (secret_hash),
  constraint access_login_link_user_name_fkey FOREIGN KEY (user_name) REFERENCES access_user(name) ON DELETE CASCADE
);

create table access_session (
  secret_hash bytea not null,
  user_name text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint access_session_pkey PRIMARY KEY (secret_hash),
  constraint access_session_user_name_fkey FOREIGN KEY (user_name) REFERENCES access_user(name) ON DELETE CASCADE
);

create table access_token (
  token_id bigint not null generated always as identity,
  secret_hash bytea not null,
  name text not null,
  user_name text not null,
  created_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  constraint access_token_pkey PRIMARY KEY (token_id),
  constraint access_token_secret_hash_key UNIQUE (secret_hash),
  constraint access_token_user_name_fkey FOREIGN KEY (user_name) REFERENCES access_user(name) ON DELETE CASCADE
);

create table access_user (
  name text not null,
  role text not null,
  created_at timestamp with time zone not null default now(),
  constraint access_user_name_check CHECK ((name ~ '^[A-Za-z0-9._@-]{1,100}$'::text)),
  constraint access_user_pkey PRIMARY KEY (name),
  constraint access_user_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'user'::text, 'admin'::text])))
);

create table approval (
  attempt_id uuid not null,
  task_instance_id bigint not null,
  subject text not null,
  body text not null default ''::text,
  role text not null,
  on_reject text not null,
  asked_at timestamp with time zone not null default now(),
  chosen text,
  answered_by text,
  answered_at timestamp with time zone,
  note text,
  constraint approval_chosen_check CHECK ((chosen = ANY (ARRAY['approve'::text, 'reject'::text]))),
  constraint approval_on_reject_check CHECK ((on_reject = ANY (ARRAY['fail'::text, 'skip'::text]))),
  constraint approval_pkey PRIMARY KEY (attempt_id),
  constraint approval_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE
);

create table audit_log (
  audit_id bigint not null generated always as identity,
  at timestamp with time zone not null default now(),
  actor text not null,
  action text not null,
  dag_id text,
  run_id text,
  task_id text,
  details jsonb,
  error text,
  constraint audit_log_pkey PRIMARY KEY (audit_id)
);

create table backfill (
  id bigint not null generated always as identity,
  dag_id text not null,
  from_date timestamp with time zone,
  to_date timestamp with time zone,
  reprocess text not null,
  reverse boolean not null default false,
  max_active_runs integer not null,
  conf jsonb not null default '{}'::jsonb,
  paused boolean not null default false,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  completed_at timestamp with time zone,
  cancelled boolean not null default false,
  created_by text not null,
  constraint backfill_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint backfill_max_active_runs_check CHECK ((max_active_runs > 0)),
  constraint backfill_pkey PRIMARY KEY (id),
  constraint backfill_reprocess_check CHECK ((reprocess = ANY (ARRAY['missing'::text, 'failed'::text, 'all'::text])))
);

create table backfill_date (
  backfill_id bigint not null,
  "position" integer not null,
  logical_date timestamp with time zone not null,
  interval_start timestamp with time zone not null,
  interval_end timestamp with time zone not null,
  outcome text,
  constraint backfill_date_backfill_id_fkey FOREIGN KEY (backfill_id) REFERENCES backfill(id) ON DELETE CASCADE,
  constraint backfill_date_outcome_check CHECK ((outcome = ANY (ARRAY['created'::text, 'exists'::text, 'in_flight'::text, 'scheduled'::text, 'cancelled'::text]))),
  constraint backfill_date_pkey PRIMARY KEY (backfill_id, "position")
);

create table bundle (
  hash text not null,
  code text not null,
  source text not null,
  created_at timestamp with time zone not null default now(),
  used_at timestamp with time zone not null default now(),
  constraint bundle_pkey PRIMARY KEY (hash)
);

create table catalog_alias (
  alias text not null,
  dataset_id bigint not null,
  constraint catalog_alias_dataset_id_fkey FOREIGN KEY (dataset_id) REFERENCES catalog_dataset(dataset_id) ON DELETE CASCADE,
  constraint catalog_alias_pkey PRIMARY KEY (alias)
);

create table catalog_column_edge (
  source_dataset bigint not null,
  source_column text not null,
  target_dataset bigint not null,
  target_column text not null,
  transformations text[] not null,
  observed_at timestamp with time zone not null,
  constraint catalog_column_edge_pkey PRIMARY KEY (target_dataset, target_column, source_dataset, source_column)
);

create table catalog_column_note (
  dataset_id bigint not null,
  column_name text not null,
  classification text,
  description text,
  noted_by text not null,
  constraint catalog_column_note_dataset_id_fkey FOREIGN KEY (dataset_id) REFERENCES catalog_dataset(dataset_id) ON DELETE CASCADE,
  constraint catalog_column_note_noted_by_check CHECK ((noted_by = ANY (ARRAY['rule'::text, 'person'::text]))),
  constraint catalog_column_note_pkey PRIMARY KEY (dataset_id, column_name)
);

create table catalog_dataset (
  dataset_id bigint not null default nextval('catalog_node_seq'::regclass),
  name text not null,
  layer text not null,
  kind text not null,
  description text,
  owner text,
  tags text[] not null default '{}'::text[],
  row_count bigint,
  byte_count bigint,
  partition_count bigint,
  synced_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  constraint catalog_dataset_kind_check CHECK ((kind = ANY (ARRAY['table'::text, 'files'::text, 'topic'::text, 'other'::text]))),
  constraint catalog_dataset_layer_check CHECK ((layer = ANY (ARRAY['source'::text, 'staging'::text, 'standardized'::text, 'conformed'::text, 'enriched'::text, 'report'::text, 'other'::text]))),
  constraint catalog_dataset_name_key UNIQUE (name),
  constraint catalog_dataset_pkey PRIMARY KEY (dataset_id)
);

create table catalog_declared (
  dag_id text not null,
  version text not null,
  constraint catalog_declared_pkey PRIMARY KEY (dag_id)
);

create table catalog_declared_service (
  service_id text not null,
  version text not null,
  constraint catalog_declared_service_pkey PRIMARY KEY (service_id)
);

create table catalog_edge (
  source bigint not null,
  target bigint not null,
  declared boolean not null default false,
  observed_at timestamp with time zone,
  constraint catalog_edge_pkey PRIMARY KEY (source, target)
);

create table catalog_field (
  dataset text not null,
  name text not null,
  type text not null,
  service_id text not null,
  first_seen_at timestamp with time zone not null default now(),
  last_seen_at timestamp with time zone not null default now(),
  constraint catalog_field_pkey PRIMARY KEY (dataset, name, type)
);

create table catalog_job (
  job_id bigint not null default nextval('catalog_node_seq'::regclass),
  namespace text not null,
  name text not null,
  dag_id text,
  task_id text,
  service_id text,
  constraint catalog_job_namespace_name_key UNIQUE (namespace, name),
  constraint catalog_job_pkey PRIMARY KEY (job_id)
);

create table catalog_partition (
  dataset_id bigint not null,
  spec text not null,
  row_count bigint,
  updated_at timestamp with time zone,
  constraint catalog_partition_dataset_id_fkey FOREIGN KEY (dataset_id) REFERENCES catalog_dataset(dataset_id) ON DELETE CASCADE,
  constraint catalog_partition_pkey PRIMARY KEY (dataset_id, spec)
);

create table catalog_schema (
  dataset_id bigint not null,
  digest text not null,
  source text not null,
  columns jsonb not null,
  first_seen_at timestamp with time zone not null,
  last_seen_at timestamp with time zone not null,
  constraint catalog_schema_dataset_id_fkey FOREIGN KEY (dataset_id) REFERENCES catalog_dataset(dataset_id) ON DELETE CASCADE,
  constraint catalog_schema_pkey PRIMARY KEY (dataset_id, digest, source),
  constraint catalog_schema_source_check CHECK ((source = ANY (ARRAY['hive'::text, 'output'::text, 'input'::text])))
);

create table claim_turn (
  lane text not null,
  pool text not null,
  queue text not null,
  dag_id text not null,
  last text not null,
  served_at timestamp with time zone not null,
  constraint claim_turn_pkey PRIMARY KEY (lane, pool, queue, dag_id)
);

create table connection (
  connection_id text not null,
  kind text not null,
  host text not null default ''::text,
  port integer not null default 0,
  login text not null default ''::text,
  path text not null default ''::text,
  description text,
  sealed bytea not null,
  key_id text not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint connection_connection_id_check CHECK ((connection_id ~ '^[A-Za-z0-9_.-]{1,200}$'::text)),
  constraint connection_pkey PRIMARY KEY (connection_id),
  constraint connection_port_check CHECK (((port >= 0) AND (port <= 65535)))
);

create table consumer_offset (
  consumer text not null,
  topic text not null,
  partition integer not null,
  topic_id text not null,
  next_offset bigint not null,
  end_offset bigint not null,
  constraint consumer_offset_pkey PRIMARY KEY (consumer, topic, partition)
);

create table consumption (
  task_instance_id bigint not null,
  consumer text not null,
  topic text not null,
  result jsonb not null,
  at timestamp with time zone not null default now(),
  staged text,
  file text,
  constraint consumption_pkey PRIMARY KEY (task_instance_id),
  constraint consumption_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE
);

create table dag (
  dag_id text not null,
  file text not null,
  version_id bigint,
  active boolean not null default true,
  paused boolean not null default true,
  owner text,
  tags text[] not null default '{}'::text[],
  doc text,
  max_active_runs integer not null,
  catchup text not null,
  schedule jsonb,
  next_run_after timestamp with time zone,
  next_logical_date timestamp with time zone,
  next_interval_start timestamp with time zone,
  next_interval_end timestamp with time zone,
  plan_pending boolean not null default true,
  scheduled_until timestamp with time zone,
  skipped_ticks bigint not null default 0,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint dag_catchup_check CHECK ((catchup = ANY (ARRAY['none'::text, 'latest'::text, 'all'::text]))),
  constraint dag_max_active_runs_check CHECK ((max_active_runs > 0)),
  constraint dag_pkey PRIMARY KEY (dag_id),
  constraint dag_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id) DEFERRABLE INITIALLY DEFERRED
);

create table dag_run (
  id bigint not null generated always as identity,
  dag_id text not null,
  run_id text not null,
  version_id bigint not null,
  kind text not null,
  state text not null default 'queued'::text,
  logical_date timestamp with time zone,
  interval_start timestamp with time zone,
  interval_end timestamp with time zone,
  run_after timestamp with time zone not null default now(),
  conf jsonb not null default '{}'::jsonb,
  params jsonb not null default '{}'::jsonb,
  unfinished integer not null default 0,
  cancel_requested_at timestamp with time zone,
  queued_at timestamp with time zone not null default now(),
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  triggered_by text not null,
  note text,
  partition text,
  backfill_id bigint,
  concurrency_key text,
  concurrency_limit integer,
  timeout_at timestamp with time zone,
  reason text,
  constraint dag_run_backfill_id_fkey FOREIGN KEY (backfill_id) REFERENCES backfill(id) ON DELETE SET NULL,
  constraint dag_run_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint dag_run_dag_id_run_id_key UNIQUE (dag_id, run_id),
  constraint dag_run_kind_check CHECK ((kind = ANY (ARRAY['scheduled'::text, 'manual'::text, 'dataset'::text, 'backfill'::text, 'message'::text]))),
  constraint dag_run_partition_check CHECK ((partition <> ''::text)),
  constraint dag_run_pkey PRIMARY KEY (id),
  constraint dag_run_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'success'::text, 'failed'::text]))),
  constraint dag_run_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id)
);

create table dag_run_event (
  dag_run_id bigint not null,
  event_id bigint not null,
  constraint dag_run_event_dag_run_id_fkey FOREIGN KEY (dag_run_id) REFERENCES dag_run(id) ON DELETE CASCADE,
  constraint dag_run_event_event_id_fkey FOREIGN KEY (event_id) REFERENCES dataset_event(id),
  constraint dag_run_event_pkey PRIMARY KEY (dag_run_id, event_id)
);

create table dag_version (
  id bigint not null generated always as identity,
  dag_id text not null,
  number integer not null,
  bundle_hash text not null,
  spec_hash text not null,
  spec jsonb not null,
  max_active_tasks integer not null,
  created_at timestamp with time zone not null default now(),
  concurrency jsonb,
  run_timeout interval,
  deadline jsonb,
  constraint dag_version_bundle_hash_fkey FOREIGN KEY (bundle_hash) REFERENCES bundle(hash),
  constraint dag_version_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint dag_version_dag_id_number_key UNIQUE (dag_id, number),
  constraint dag_version_dag_id_spec_hash_bundle_hash_key UNIQUE (dag_id, spec_hash, bundle_hash),
  constraint dag_version_max_active_tasks_check CHECK ((max_active_tasks > 0)),
  constraint dag_version_pkey PRIMARY KEY (id)
);

create table dataset_cursor (
  dag_id text not null,
  dataset text not null,
  event_id bigint not null,
  constraint dataset_cursor_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint dataset_cursor_pkey PRIMARY KEY (dag_id, dataset)
);

create table dataset_event (
  id bigint not null generated always as identity,
  dataset text not null,
  key text not null,
  extra jsonb not null default 'null'::jsonb,
  at timestamp with time zone not null default now(),
  task_instance_id bigint,
  attempt_id uuid,
  partition text,
  constraint dataset_event_dataset_key_key UNIQUE (dataset, key),
  constraint dataset_event_partition_check CHECK ((partition <> ''::text)),
  constraint dataset_event_pkey PRIMARY KEY (id)
);

create table dataset_waiting (
  dag_id text not null,
  event_id bigint not null,
  dataset text not null,
  partition text not null,
  ready boolean not null default false,
  constraint dataset_waiting_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint dataset_waiting_event_id_fkey FOREIGN KEY (event_id) REFERENCES dataset_event(id),
  constraint dataset_waiting_pkey PRIMARY KEY (dag_id, event_id)
);

create table dead_message (
  id bigint not null generated always as identity,
  dag_id text not null,
  task_id text,
  topic text not null,
  partition integer not null,
  message_offset bigint not null,
  sent_at timestamp with time zone not null,
  key bytea,
  value bytea,
  bytes integer not null,
  sha256 bytea,
  reason text not null,
  at timestamp with time zone not null default now(),
  dedupe_key text,
  replayed_at timestamp with time zone,
  constraint dead_message_pkey PRIMARY KEY (id)
);

create table deadline (
  dag_run_id bigint not null,
  task_instance_id bigint,
  due_at timestamp with time zone not null,
  fired_at timestamp with time zone,
  constraint deadline_dag_run_id_fkey FOREIGN KEY (dag_run_id) REFERENCES dag_run(id) ON DELETE CASCADE,
  constraint deadline_dag_run_id_task_instance_id_key UNIQUE NULLS NOT DISTINCT (dag_run_id, task_instance_id),
  constraint deadline_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE
);

create table file_manifest (
  file_id bigint not null generated always as identity,
  connection text not null,
  path text not null,
  version integer not null,
  feed text not null,
  batch bigint,
  state text not null default 'seen'::text,
  bytes bigint not null,
  ftp_time timestamp with time zone,
  sha256 text,
  staged_path text,
  load_seq bigint,
  landed_by text,
  duplicate_of bigint,
  replaced_by bigint,
  promoted_by bigint,
  rows_read bigint,
  rows_loaded bigint,
  rows_duplicate bigint,
  rows_conflict bigint,
  rows_quarantined bigint,
  reasons jsonb not null default '{}'::jsonb,
  rejected text,
  seen_at timestamp with time zone not null default now(),
  stable_at timestamp with time zone,
  fetched_at timestamp with time zone,
  verified_at timestamp with time zone,
  finished_at timestamp with time zone,
  constraint counts_balance CHECK (((state <> 'loaded'::text) OR (rows_read = ((rows_loaded + rows_duplicate) + rows_quarantined)))),
  constraint file_manifest_connection_path_version_key UNIQUE (connection, path, version),
  constraint file_manifest_duplicate_of_fkey FOREIGN KEY (duplicate_of) REFERENCES file_manifest(file_id),
  constraint file_manifest_load_seq_key UNIQUE (load_seq),
  constraint file_manifest_pkey PRIMARY KEY (file_id),
  constraint file_manifest_promoted_by_fkey FOREIGN KEY (promoted_by) REFERENCES file_manifest(file_id),
  constraint file_manifest_replaced_by_fkey FOREIGN KEY (replaced_by) REFERENCES file_manifest(file_id),
  constraint file_manifest_state_check CHECK ((state = ANY (ARRAY['seen'::text, 'stable'::text, 'fetched'::text, 'verified'::text, 'loaded'::text, 'duplicate'::text, 'quarantined'::text, 'superseded'::text]))),
  constraint landed_is_known CHECK (((state = ANY (ARRAY['seen'::text, 'stable'::text])) OR (sha256 IS NOT NULL)))
);

create table import_error (
  file text not null,
  code text not null,
  message text not null,
  remedy text not null,
  line integer,
  "column" integer,
  at timestamp with time zone not null default now(),
  constraint import_error_pkey PRIMARY KEY (file)
);

create table leader_lease (
  name text not null,
  holder uuid not null,
  elected_at timestamp with time zone not null default now(),
  expires_at timestamp with time zone not null,
  constraint leader_lease_pkey PRIMARY KEY (name)
);

create table lineage_event (
  event_id bigint not null generated always as identity,
  digest bytea not null,
  body jsonb not null,
  received_at timestamp with time zone not null default now(),
  processed_at timestamp with time zone,
  error text,
  constraint lineage_event_digest_key UNIQUE (digest),
  constraint lineage_event_pkey PRIMARY KEY (event_id)
);

create table lineage_io (
  run_id uuid not null,
  dataset_id bigint not null,
  direction text not null,
  row_count bigint,
  byte_count bigint,
  partitions text[],
  at timestamp with time zone not null,
  constraint lineage_io_direction_check CHECK ((direction = ANY (ARRAY['in'::text, 'out'::text]))),
  constraint lineage_io_pkey PRIMARY KEY (run_id, dataset_id, direction)
);

create table lineage_run (
  run_id uuid not null,
  job_id bigint not null,
  name text not null,
  attempt_id uuid,
  state text not null,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  event_at timestamp with time zone not null,
  constraint lineage_run_pkey PRIMARY KEY (run_id),
  constraint lineage_run_state_check CHECK ((state = ANY (ARRAY['START'::text, 'RUNNING'::text, 'OTHER'::text, 'ABORT'::text, 'FAIL'::text, 'COMPLETE'::text])))
);

create table log_chunk (
  attempt_id uuid not null,
  first_line integer not null,
  line_count integer not null,
  bytes integer not null,
  codec text not null,
  data bytea not null,
  constraint log_chunk_codec_check CHECK ((codec = ANY (ARRAY['plain'::text, 'zstd'::text]))),
  constraint log_chunk_pkey PRIMARY KEY (attempt_id, first_line)
) partition by RANGE (attempt_id);

create table map_item (
  task_instance_id bigint not null,
  value jsonb not null,
  constraint map_item_pkey PRIMARY KEY (task_instance_id),
  constraint map_item_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE
);

create table message_cursor (
  dag_id text not null,
  partition integer not null,
  next_offset bigint not null,
  end_offset bigint not null,
  missed bigint not null default 0,
  constraint message_cursor_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES message_source(dag_id) ON DELETE CASCADE,
  constraint message_cursor_pkey PRIMARY KEY (dag_id, partition)
);

create table message_inbox (
  id bigint not null generated always as identity,
  dag_id text not null,
  dedupe_key text not null,
  topic text not null,
  partition integer not null,
  message_offset bigint not null,
  sent_at timestamp with time zone not null,
  key bytea,
  value bytea,
  bytes integer not null,
  received_at timestamp with time zone not null default now(),
  tries integer not null default 0,
  taken_at timestamp with time zone,
  constraint message_inbox_dag_id_dedupe_key_key UNIQUE (dag_id, dedupe_key),
  constraint message_inbox_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint message_inbox_pkey PRIMARY KEY (id)
);

create table message_source (
  dag_id text not null,
  connection text not null,
  topic text not null,
  topic_id text,
  epoch integer not null default 0,
  lease uuid,
  leased_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  problem text,
  looked_at timestamp with time zone,
  constraint message_source_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint message_source_pkey PRIMARY KEY (dag_id)
);

create table metric_counter (
  name text not null,
  value bigint not null default 0,
  constraint metric_counter_pkey PRIMARY KEY (name)
);

create table notification (
  id bigint not null generated always as identity,
  key text not null,
  event text not null,
  channel text not null,
  dag_id text,
  payload jsonb not null,
  state text not null default 'pending'::text,
  attempts integer not null default 0,
  next_at timestamp with time zone not null default now(),
  lease uuid,
  error text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  service_id text,
  constraint notification_key_key UNIQUE (key),
  constraint notification_pkey PRIMARY KEY (id),
  constraint notification_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sent'::text, 'dead'::text])))
);

create table notify_rule (
  version_id bigint not null,
  event text not null,
  channel text not null,
  constraint notify_rule_event_check CHECK ((event = ANY (ARRAY['runFailed'::text, 'runSucceeded'::text, 'taskFailed'::text, 'taskRetry'::text, 'deadlineMissed'::text, 'importError'::text]))),
  constraint notify_rule_pkey PRIMARY KEY (version_id, event, channel),
  constraint notify_rule_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id) ON DELETE CASCADE
);

create table pool (
  name text not null,
  slots integer not null,
  description text not null default ''::text,
  constraint pool_pkey PRIMARY KEY (name),
  constraint pool_slots_check CHECK ((slots >= 0))
);

create table report_ledger (
  report text not null,
  partition text not null,
  file_name text not null,
  sha256 text not null,
  rows bigint not null,
  changed numeric not null,
  token text not null,
  written_at timestamp with time zone not null default now(),
  constraint report_ledger_pkey PRIMARY KEY (report, partition)
);

create table scheduler (
  scheduler_id uuid not null,
  host_id text not null,
  pid integer not null,
  version text not null,
  started_at timestamp with time zone not null default now(),
  looked_at timestamp with time zone not null default now(),
  look_ms integer not null default 0,
  constraint scheduler_pkey PRIMARY KEY (scheduler_id)
);

create table service (
  service_id text not null,
  file text not null,
  active boolean not null default true,
  paused boolean not null default true,
  version_id bigint,
  queue text not null,
  owner text,
  doc text,
  tags text[] not null default '{}'::text[],
  program_hash text not null,
  restarts_wanted integer not null default 0,
  attempt_number integer not null default 0,
  attempt_id uuid,
  failures integer not null default 0,
  restart_at timestamp with time zone,
  fenced_until timestamp with time zone,
  fenced_host text,
  lagging_since timestamp with time zone,
  told_failing boolean not null default false,
  told_lagging boolean not null default false,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint service_pkey PRIMARY KEY (service_id),
  constraint service_version_id_fkey FOREIGN KEY (version_id) REFERENCES service_version(id)
);

create table service_attempt (
  attempt_id uuid not null default uuidv7(),
  service_id text not null,
  number integer not null,
  token uuid not null default gen_random_uuid(),
  version_id bigint not null,
  program_hash text not null,
  restarts_wanted integer not null,
  worker_id uuid not null,
  host_id text not null,
  state text not null default 'starting'::text,
  reason text,
  pid integer,
  started_at timestamp with time zone not null default now(),
  ready_at timestamp with time zone,
  seen_at timestamp with time zone,
  ended_at timestamp with time zone,
  error jsonb,
  report integer not null default 0,
  batches bigint not null default 0,
  rows_total bigint not null default 0,
  progress jsonb,
  progress_at timestamp with time zone,
  constraint service_attempt_pkey PRIMARY KEY (attempt_id),
  constraint service_attempt_service_id_fkey FOREIGN KEY (service_id) REFERENCES service(service_id) ON DELETE CASCADE,
  constraint service_attempt_service_id_number_key UNIQUE (service_id, number),
  constraint service_attempt_state_check CHECK ((state = ANY (ARRAY['starting'::text, 'running'::text, 'draining'::text, 'stopped'::text, 'failed'::text, 'lost'::text]))),
  constraint service_attempt_version_id_fkey FOREIGN KEY (version_id) REFERENCES service_version(id)
);

create table service_event (
  service_id text not null,
  dataset text not null,
  partition text not null,
  attempt_id uuid not null,
  due_at timestamp with time zone not null,
  announcements bigint not null default 0,
  rows bigint not null default 0,
  constraint service_event_pkey PRIMARY KEY (service_id, dataset, partition),
  constraint service_event_service_id_fkey FOREIGN KEY (service_id) REFERENCES service(service_id) ON DELETE CASCADE
);

create table service_log (
  attempt_id uuid not null,
  first_line integer not null,
  line_count integer not null,
  bytes integer not null,
  codec text not null,
  data bytea not null,
  at timestamp with time zone not null default now(),
  constraint service_log_attempt_id_fkey FOREIGN KEY (attempt_id) REFERENCES service_attempt(attempt_id) ON DELETE CASCADE,
  constraint service_log_codec_check CHECK ((codec = ANY (ARRAY['plain'::text, 'zstd'::text]))),
  constraint service_log_pkey PRIMARY KEY (attempt_id, first_line)
);

create table service_progress (
  service_id text not null,
  at timestamp with time zone not null default clock_timestamp(),
  attempt_number integer not null,
  batch bigint not null,
  rows bigint not null,
  batch_ms double precision,
  input_rate double precision,
  processed_rate double precision,
  lag bigint,
  event_time timestamp with time zone,
  constraint service_progress_pkey PRIMARY KEY (service_id, at, batch),
  constraint service_progress_service_id_fkey FOREIGN KEY (service_id) REFERENCES service(service_id) ON DELETE CASCADE
);

create table service_version (
  id bigint not null generated always as identity,
  service_id text not null,
  number integer not null,
  spec jsonb not null,
  spec_hash text not null,
  bundle_hash text not null,
  created_at timestamp with time zone not null default now(),
  constraint service_version_bundle_hash_fkey FOREIGN KEY (bundle_hash) REFERENCES bundle(hash),
  constraint service_version_pkey PRIMARY KEY (id),
  constraint service_version_service_id_fkey FOREIGN KEY (service_id) REFERENCES service(service_id) ON DELETE CASCADE,
  constraint service_version_service_id_number_key UNIQUE (service_id, number),
  constraint service_version_service_id_spec_hash_key UNIQUE (service_id, spec_hash)
);

create table setting (
  key text not null,
  value jsonb not null,
  updated_at timestamp with time zone not null default now(),
  constraint setting_pkey PRIMARY KEY (key)
);

create table task_attempt (
  attempt_id uuid not null default uuidv7(),
  token uuid not null default gen_random_uuid(),
  task_instance_id bigint not null,
  dag_run_id bigint not null,
  try_number integer not null,
  worker_id uuid,
  claim_id uuid not null,
  state text not null default 'running'::text,
  revoked text,
  fenced boolean not null default false,
  error jsonb,
  handle jsonb,
  progress jsonb,
  started_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
  deadline_at timestamp with time zone,
  exit jsonb,
  polls integer not null default 0,
  previous_token uuid,
  constraint task_attempt_pkey PRIMARY KEY (attempt_id),
  constraint task_attempt_revoked_check CHECK ((revoked = ANY (ARRAY['cancelled'::text, 'timeout'::text]))),
  constraint task_attempt_state_check CHECK ((state = ANY (ARRAY['running'::text, 'deferred'::text, 'up_for_reschedule'::text, 'success'::text, 'failed'::text, 'skipped'::text]))),
  constraint task_attempt_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE,
  constraint task_attempt_task_instance_id_try_number_key UNIQUE (task_instance_id, try_number)
);

create table task_def (
  version_id bigint not null,
  task_index integer not null,
  task_id text not null,
  kind text not null,
  lane text not null,
  map_over_index integer,
  operator jsonb,
  inputs jsonb not null default '{}'::jsonb,
  value_indexes integer[] not null default '{}'::integer[],
  branch_targets jsonb not null default '{}'::jsonb,
  rule text not null,
  upstream_count integer not null,
  is_leaf boolean not null,
  retries integer not null,
  retry_delay_ms bigint not null,
  retry_factor double precision not null,
  retry_max_ms bigint not null,
  retry_jitter text not null,
  timeout_ms bigint,
  pool text not null,
  pool_slots integer not null,
  priority integer not null,
  max_active integer,
  emits text[] not null default '{}'::text[],
  queue text not null default 'default'::text,
  concurrency jsonb,
  role text not null default 'work'::text,
  gate_count integer not null default 0,
  retry_policy jsonb,
  queue_timeout interval,
  start_timeout interval,
  sensor jsonb,
  deadline jsonb,
  constraint task_def_kind_check CHECK ((kind = ANY (ARRAY['function'::text, 'map'::text, 'branch'::text, 'shortCircuit'::text, 'operator'::text, 'sensor'::text]))),
  constraint task_def_lane_check CHECK ((lane = ANY (ARRAY['function'::text, 'operator'::text, 'wait'::text]))),
  constraint task_def_pkey PRIMARY KEY (version_id, task_index),
  constraint task_def_pool_slots_check CHECK ((pool_slots > 0)),
  constraint task_def_retry_jitter_check CHECK ((retry_jitter = ANY (ARRAY['none'::text, 'full'::text]))),
  constraint task_def_role_check CHECK ((role = ANY (ARRAY['work'::text, 'setup'::text, 'teardown'::text]))),
  constraint task_def_task_id_version_id_key UNIQUE (task_id, version_id),
  constraint task_def_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id) ON DELETE CASCADE
);

create table task_edge (
  version_id bigint not null,
  upstream_index integer not null,
  downstream_index integer not null,
  per_item boolean not null default false,
  constraint task_edge_pkey PRIMARY KEY (version_id, upstream_index, downstream_index),
  constraint task_edge_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id) ON DELETE CASCADE
);

create table task_event (
  at timestamp with time zone not null default clock_timestamp(),
  task_instance_id bigint not null,
  dag_run_id bigint not null,
  from_state text not null,
  to_state text not null,
  attempt_id uuid,
  reason text
) partition by RANGE (at);

create table task_gate (
  version_id bigint not null,
  gate_index integer not null,
  task_index integer not null,
  per_item boolean not null,
  constraint task_gate_pkey PRIMARY KEY (version_id, gate_index, task_index),
  constraint task_gate_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id) ON DELETE CASCADE
);

create table task_instance (
  id bigint not null generated always as identity,
  dag_run_id bigint not null,
  version_id bigint not null,
  dag_id text not null,
  task_id text not null,
  task_index integer not null,
  map_index integer not null default '-1'::integer,
  state text not null default 'none'::text,
  rule text not null,
  expands boolean not null,
  up_total integer not null,
  up_success integer not null default 0,
  up_failed integer not null default 0,
  up_skipped integer not null default 0,
  up_upstream_failed integer not null default 0,
  lane text not null,
  pool text not null,
  pool_slots integer not null,
  priority integer not null,
  max_active integer,
  try_number integer not null default 0,
  uncounted_tries integer not null default 0,
  infra_failures integer not null default 0,
  attempt_id uuid,
  reason text,
  wake_at timestamp with time zone,
  queued_at timestamp with time zone,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  queue text not null default 'default'::text,
  backfill boolean not null default false,
  concurrency_key text,
  concurrency_limit integer,
  rank bigint not null default (
CASE
    WHEN backfill THEN '4294967296'::bigint
    ELSE (0)::bigint
END - priority),
  gates_open integer not null default 0,
  decision jsonb,
  queue_timeout interval,
  start_by timestamp with time zone,
  note text,
  deadline jsonb,
  constraint task_instance_dag_run_id_fkey FOREIGN KEY (dag_run_id) REFERENCES dag_run(id) ON DELETE CASCADE,
  constraint task_instance_dag_run_id_task_index_map_index_key UNIQUE (dag_run_id, task_index, map_index),
  constraint task_instance_pkey PRIMARY KEY (id)
);

create table task_wait (
  task_instance_id bigint not null,
  attempt_id uuid not null,
  kind text not null,
  condition jsonb,
  key text,
  resource text,
  wake_at timestamp with time zone not null default now(),
  deadline timestamp with time zone not null,
  lease uuid,
  polls integer not null default 0,
  note text,
  log_lines integer not null default 0,
  constraint task_wait_pkey PRIMARY KEY (task_instance_id),
  constraint task_wait_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE
);

create table variable (
  key text not null,
  description text,
  secret boolean not null,
  sealed bytea not null,
  key_id text not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint variable_key_check CHECK (((length(key) >= 1) AND (length(key) <= 250))),
  constraint variable_pkey PRIMARY KEY (key)
);

create table worker (
  worker_id uuid not null default uuidv7(),
  host_id text not null,
  pid integer not null,
  pid_started_at text not null,
  marker text not null,
  state text not null default 'active'::text,
  started_at timestamp with time zone not null default now(),
  heartbeat_at timestamp with time zone not null default now(),
  lease_expires_at timestamp with time zone not null,
  ended_at timestamp with time zone,
  queues text[] not null default '{default}'::text[],
  constraint worker_pkey PRIMARY KEY (worker_id),
  constraint worker_state_check CHECK ((state = ANY (ARRAY['active'::text, 'draining'::text, 'ended'::text, 'lost'::text])))
);

create table xcom (
  task_instance_id bigint not null,
  value jsonb,
  blob_hash bytea,
  size integer not null,
  at timestamp with time zone not null default now(),
  constraint xcom_blob_hash_fkey FOREIGN KEY (blob_hash) REFERENCES xcom_blob(hash),
  constraint xcom_check CHECK (((value IS NULL) <> (blob_hash IS NULL))),
  constraint xcom_pkey PRIMARY KEY (task_instance_id),
  constraint xcom_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE
);

create table xcom_blob (
  hash bytea not null,
  value jsonb not null,
  used_at timestamp with time zone not null default now(),
  constraint xcom_blob_pkey PRIMARY KEY (hash)
);

-- indexes
CREATE INDEX approval_open ON public.approval USING btree (asked_at) WHERE (answered_at IS NULL);
CREATE INDEX approval_task ON public.approval USING btree (task_instance_id);
CREATE INDEX audit_log_at ON public.audit_log USING btree (at DESC);
CREATE INDEX backfill_active ON public.backfill USING btree (dag_id) WHERE (completed_at IS NULL);
CREATE INDEX backfill_date_pending ON public.backfill_date USING btree (backfill_id, "position") WHERE (outcome IS NULL);
CREATE INDEX catalog_alias_dataset ON public.catalog_alias USING btree (dataset_id);
CREATE INDEX catalog_column_edge_source ON public.catalog_column_edge USING btree (source_dataset, source_column);
CREATE INDEX catalog_dataset_layer ON public.catalog_dataset USING btree (layer, name);
CREATE INDEX catalog_edge_target ON public.catalog_edge USING btree (target, source);
CREATE INDEX consumption_unpublished ON public.consumption USING btree (consumer) WHERE (staged IS NOT NULL);
CREATE INDEX dag_due ON public.dag USING btree (next_run_after) WHERE (active AND (NOT paused) AND (next_run_after IS NOT NULL));
CREATE INDEX dag_file ON public.dag USING btree (file);
CREATE INDEX dag_plan ON public.dag USING btree (dag_id) WHERE (active AND plan_pending);
CREATE INDEX dag_run_active ON public.dag_run USING btree (dag_id, id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));
CREATE INDEX dag_run_after ON public.dag_run USING btree (run_after);
CREATE INDEX dag_run_backfill ON public.dag_run USING btree (backfill_id, id) WHERE (backfill_id IS NOT NULL);
CREATE INDEX dag_run_dag_after ON public.dag_run USING btree (dag_id, run_after);
CREATE INDEX dag_run_dag_logical ON public.dag_run USING btree (dag_id, logical_date) WHERE (logical_date IS NOT NULL);
CREATE INDEX dag_run_dag_queued ON public.dag_run USING btree (dag_id, queued_at);
CREATE INDEX dag_run_dag_started ON public.dag_run USING btree (dag_id, started_at) WHERE (started_at IS NOT NULL);
CREATE INDEX dag_run_ended ON public.dag_run USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX dag_run_event_event ON public.dag_run_event USING btree (event_id);
CREATE INDEX dag_run_failed ON public.dag_run USING btree (id) WHERE (state = 'failed'::text);
CREATE INDEX dag_run_logical ON public.dag_run USING btree (logical_date) WHERE (logical_date IS NOT NULL);
CREATE INDEX dag_run_prunable ON public.dag_run USING btree (dag_id, ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX dag_run_queued ON public.dag_run USING btree (queued_at);
CREATE INDEX dag_run_recent ON public.dag_run USING btree (dag_id, id DESC);
CREATE INDEX dag_run_started ON public.dag_run USING btree (started_at) WHERE (started_at IS NOT NULL);
CREATE INDEX dag_run_timeout ON public.dag_run USING btree (timeout_at) WHERE ((state = 'running'::text) AND (timeout_at IS NOT NULL) AND (cancel_requested_at IS NULL));
CREATE INDEX dag_run_version ON public.dag_run USING btree (version_id);
CREATE INDEX dag_version_bundle ON public.dag_version USING btree (bundle_hash);
CREATE INDEX dataset_event_at ON public.dataset_event USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX dataset_event_outside ON public.dataset_event USING btree (dataset, id) WHERE (task_instance_id IS NULL);
CREATE INDEX dataset_event_waiting ON public.dataset_event USING btree (dataset, id);
CREATE INDEX dataset_waiting_event ON public.dataset_waiting USING btree (event_id);
CREATE INDEX dataset_waiting_partition ON public.dataset_waiting USING btree (dag_id, partition, event_id);
CREATE INDEX dataset_waiting_ready ON public.dataset_waiting USING btree (dag_id, event_id) WHERE ready;
CREATE INDEX dead_message_of ON public.dead_message USING btree (dag_id, id);
CREATE INDEX dead_message_open ON public.dead_message USING btree (dag_id, id) WHERE (replayed_at IS NULL);
CREATE INDEX deadline_due ON public.deadline USING btree (due_at) WHERE (fired_at IS NULL);
CREATE INDEX deadline_instance ON public.deadline USING btree (task_instance_id) WHERE (task_instance_id IS NOT NULL);
CREATE INDEX file_manifest_batch ON public.file_manifest USING btree (batch);
CREATE INDEX file_manifest_content ON public.file_manifest USING btree (feed, sha256) WHERE (replaced_by IS NULL);
CREATE INDEX file_manifest_landed ON public.file_manifest USING btree (landed_by) WHERE (landed_by IS NOT NULL);
CREATE INDEX file_manifest_originals ON public.file_manifest USING btree (duplicate_of) WHERE (duplicate_of IS NOT NULL);
CREATE INDEX file_manifest_promoted ON public.file_manifest USING btree (promoted_by) WHERE (promoted_by IS NOT NULL);
CREATE INDEX file_manifest_replaced ON public.file_manifest USING btree (replaced_by) WHERE (replaced_by IS NOT NULL);
CREATE INDEX lineage_event_pending ON public.lineage_event USING btree (event_id) WHERE (processed_at IS NULL);
CREATE INDEX lineage_event_received ON public.lineage_event USING btree (received_at);
CREATE INDEX lineage_io_at ON public.lineage_io USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX lineage_io_dataset ON public.lineage_io USING btree (dataset_id, direction, at DESC);
CREATE INDEX lineage_run_at ON public.lineage_run USING brin (event_at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX lineage_run_attempt ON public.lineage_run USING btree (attempt_id);
CREATE INDEX lineage_run_job ON public.lineage_run USING btree (job_id, event_at DESC);
CREATE INDEX message_inbox_taken ON public.message_inbox USING btree (taken_at) WHERE (taken_at IS NOT NULL);
CREATE INDEX message_inbox_waiting ON public.message_inbox USING btree (dag_id, id) WHERE (taken_at IS NULL);
CREATE INDEX notification_due ON public.notification USING btree (next_at) WHERE (state = 'pending'::text);
CREATE INDEX notification_ended ON public.notification USING btree (ended_at) WHERE (state = 'sent'::text);
CREATE INDEX notification_state ON public.notification USING btree (state, id DESC);
CREATE INDEX service_attempt_ended ON public.service_attempt USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX service_attempt_of_version ON public.service_attempt USING btree (version_id);
CREATE INDEX service_attempt_worker ON public.service_attempt USING btree (worker_id) WHERE (state = ANY (ARRAY['starting'::text, 'running'::text, 'draining'::text]));
CREATE INDEX service_event_due ON public.service_event USING btree (due_at);
CREATE INDEX service_lagging ON public.service USING btree (lagging_since) WHERE ((lagging_since IS NOT NULL) AND (NOT told_lagging));
CREATE INDEX service_log_at ON public.service_log USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX service_of_version ON public.service USING btree (version_id);
CREATE INDEX service_progress_at ON public.service_progress USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX service_version_bundle ON public.service_version USING btree (bundle_hash);
CREATE INDEX service_waiting ON public.service USING btree (queue) WHERE (active AND (NOT paused) AND (attempt_id IS NULL));
CREATE INDEX task_attempt_deadline ON public.task_attempt USING btree (deadline_at) WHERE ((state = 'running'::text) AND (deadline_at IS NOT NULL));
CREATE INDEX task_attempt_fenced ON public.task_attempt USING btree (worker_id, ended_at) WHERE fenced;
CREATE INDEX task_attempt_live ON public.task_attempt USING btree (worker_id) WHERE (state = 'running'::text);
CREATE INDEX task_def_start_timeout ON public.task_def USING btree (version_id) WHERE (start_timeout IS NOT NULL);
CREATE INDEX task_edge_downstream ON public.task_edge USING btree (version_id, downstream_index);
CREATE INDEX task_event_at ON ONLY public.task_event USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX task_event_run ON ONLY public.task_event USING btree (dag_run_id, at);
CREATE INDEX task_gate_task ON public.task_gate USING btree (version_id, task_index);
CREATE INDEX task_instance_failed ON public.task_instance USING btree (ended_at) WHERE ((state = 'failed'::text) AND (ended_at IS NOT NULL));
CREATE INDEX task_instance_poke ON public.task_instance USING btree (wake_at) WHERE (state = 'up_for_reschedule'::text);
CREATE INDEX task_instance_queue ON public.task_instance USING btree (lane, pool, queue, rank, dag_id, dag_run_id, task_index, id) WHERE (state = 'queued'::text);
CREATE INDEX task_instance_queue_timeout ON public.task_instance USING btree ((((queued_at AT TIME ZONE 'UTC'::text) + queue_timeout))) WHERE ((state = 'queued'::text) AND (queue_timeout IS NOT NULL));
CREATE INDEX task_instance_running ON public.task_instance USING btree (pool) INCLUDE (pool_slots) WHERE (state = 'running'::text);
CREATE INDEX task_instance_running_key ON public.task_instance USING btree (dag_id, concurrency_key) WHERE ((state = 'running'::text) AND (concurrency_key IS NOT NULL));
CREATE INDEX task_instance_running_run ON public.task_instance USING btree (dag_run_id) WHERE (state = 'running'::text);
CREATE INDEX task_instance_running_task ON public.task_instance USING btree (dag_id, task_id) WHERE ((state = 'running'::text) AND (max_active IS NOT NULL));
CREATE INDEX task_instance_scheduled ON public.task_instance USING btree (dag_run_id, task_index, map_index) WHERE (state = 'scheduled'::text);
CREATE INDEX task_instance_start_by ON public.task_instance USING btree (start_by) WHERE ((state = ANY (ARRAY['none'::text, 'scheduled'::text, 'queued'::text])) AND (start_by IS NOT NULL));
CREATE INDEX task_instance_task ON public.task_instance USING btree (dag_id, task_id, id DESC);
CREATE INDEX task_instance_troubled ON public.task_instance USING btree (dag_run_id, task_index, map_index) WHERE (state = ANY (ARRAY['failed'::text, 'upstream_failed'::text, 'skipped'::text, 'removed'::text]));
CREATE INDEX task_instance_wait_queue ON public.task_instance USING btree (id) WHERE ((state = 'queued'::text) AND (lane = 'wait'::text));
CREATE INDEX task_instance_wake ON public.task_instance USING btree (wake_at) WHERE (state = 'up_for_retry'::text);
CREATE INDEX task_instance_window ON public.task_instance USING btree (dag_run_id, task_index) WHERE ((map_index >= 0) AND (state = ANY (ARRAY['queued'::text, 'running'::text, 'up_for_retry'::text])));
CREATE INDEX task_wait_due ON public.task_wait USING btree (wake_at);
CREATE INDEX task_wait_key ON public.task_wait USING btree (kind, key);
CREATE INDEX worker_ended ON public.worker USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX worker_live ON public.worker USING btree (host_id) WHERE (state = ANY (ARRAY['active'::text, 'draining'::text]));
CREATE INDEX xcom_blob_use ON public.xcom USING btree (blob_hash) WHERE (blob_hash IS NOT NULL);
CREATE UNIQUE INDEX catalog_job_service ON public.catalog_job USING btree (service_id) WHERE (service_id IS NOT NULL);
CREATE UNIQUE INDEX catalog_job_task ON public.catalog_job USING btree (dag_id, task_id) WHERE (dag_id IS NOT NULL);
CREATE UNIQUE INDEX dag_run_tick ON public.dag_run USING btree (dag_id, logical_date) WHERE (kind = 'scheduled'::text);
CREATE UNIQUE INDEX dead_message_once ON public.dead_message USING btree (dag_id, COALESCE(task_id, ''::text), topic, partition, message_offset, sha256) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX service_attempt_live ON public.service_attempt USING btree (service_id) WHERE (state = ANY (ARRAY['starting'::text, 'running'::text, 'draining'::text]));

-- triggers
CREATE TRIGGER connection_changes AFTER INSERT OR DELETE OR UPDATE ON public.connection FOR EACH STATEMENT EXECUTE FUNCTION count_secret_change();
CREATE TRIGGER dag_run_born AFTER INSERT ON public.dag_run FOR EACH ROW EXECUTE FUNCTION set_run_deadlines();
CREATE TRIGGER dag_run_ended AFTER UPDATE OF state ON public.dag_run FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['success'::text, 'failed'::text])))) EXECUTE FUNCTION tell_run_end();
CREATE TRIGGER dag_run_started AFTER UPDATE OF started_at ON public.dag_run FOR EACH ROW WHEN (((old.started_at IS NULL) AND (new.started_at IS NOT NULL) AND (new.state = 'running'::text))) EXECUTE FUNCTION set_run_deadlines();
CREATE TRIGGER dag_run_wakes AFTER UPDATE OF state ON public.dag_run FOR EACH ROW WHEN (((new.state = ANY (ARRAY['success'::text, 'failed'::text])) AND (old.state <> new.state))) EXECUTE FUNCTION wake_run_waits();
CREATE TRIGGER dataset_event_wakes AFTER INSERT ON public.dataset_event REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION wake_dataset_waits();
CREATE TRIGGER import_error_told AFTER INSERT OR UPDATE OF message ON public.import_error FOR EACH ROW EXECUTE FUNCTION tell_import_error();
CREATE TRIGGER task_instance_births AFTER INSERT ON public.task_instance FOR EACH ROW WHEN (((new.state <> 'none'::text) OR (new.deadline IS NOT NULL))) EXECUTE FUNCTION after_move();
CREATE TRIGGER task_instance_moves AFTER UPDATE OF state ON public.task_instance FOR EACH ROW WHEN (((new.deadline IS NOT NULL) OR ((old.state <> new.state) AND (NOT plain_move(old.state, new.state))))) EXECUTE FUNCTION after_move();
CREATE TRIGGER variable_changes AFTER INSERT OR DELETE OR UPDATE ON public.variable FOR EACH STATEMENT EXECUTE FUNCTION count_secret_change();


-- sequences
create sequence catalog_node_seq;
create sequence file_load_seq;
