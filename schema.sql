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

create table catalog_edge (
  source bigint not null,
  target bigint not null,
  declared boolean not null default false,
  observed_at timestamp with time zone,
  constraint catalog_edge_pkey PRIMARY KEY (source, target)
);

create table catalog_job (
  job_id bigint not null default nextval('catalog_node_seq'::regclass),
  namespace text not null,
  name text not null,
  dag_id text,
  task_id text,
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
  constraint dag_run_kind_check CHECK ((kind = ANY (ARRAY['scheduled'::text, 'manual'::text, 'dataset'::text, 'backfill'::text]))),
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
  dag_id text not null,
  payload jsonb not null,
  state text not null default 'pending'::text,
  attempts integer not null default 0,
  next_at timestamp with time zone not null default now(),
  lease uuid,
  error text,
  created_at timestamp with time zone not null default now(),
  ended_at timestamp with time zone,
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
  constraint task_def_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id) ON DELETE CASCADE,
  constraint task_def_version_id_task_id_key UNIQUE (version_id, task_id)
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
CREATE INDEX dag_due ON public.dag USING btree (next_run_after) WHERE (active AND (NOT paused) AND (next_run_after IS NOT NULL));
CREATE INDEX dag_file ON public.dag USING btree (file);
CREATE INDEX dag_plan ON public.dag USING btree (dag_id) WHERE (active AND plan_pending);
CREATE INDEX dag_run_active ON public.dag_run USING btree (dag_id, id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));
CREATE INDEX dag_run_backfill ON public.dag_run USING btree (backfill_id, id) WHERE (backfill_id IS NOT NULL);
CREATE INDEX dag_run_ended ON public.dag_run USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX dag_run_event_event ON public.dag_run_event USING btree (event_id);
CREATE INDEX dag_run_prunable ON public.dag_run USING btree (dag_id, ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX dag_run_recent ON public.dag_run USING btree (dag_id, id DESC);
CREATE INDEX dag_run_timeout ON public.dag_run USING btree (timeout_at) WHERE ((state = 'running'::text) AND (timeout_at IS NOT NULL) AND (cancel_requested_at IS NULL));
CREATE INDEX dag_run_version ON public.dag_run USING btree (version_id);
CREATE INDEX dag_version_bundle ON public.dag_version USING btree (bundle_hash);
CREATE INDEX dataset_event_at ON public.dataset_event USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX dataset_event_waiting ON public.dataset_event USING btree (dataset, id);
CREATE INDEX dataset_waiting_event ON public.dataset_waiting USING btree (event_id);
CREATE INDEX dataset_waiting_partition ON public.dataset_waiting USING btree (dag_id, partition, event_id);
CREATE INDEX dataset_waiting_ready ON public.dataset_waiting USING btree (dag_id, event_id) WHERE ready;
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
CREATE INDEX notification_due ON public.notification USING btree (next_at) WHERE (state = 'pending'::text);
CREATE INDEX notification_ended ON public.notification USING btree (ended_at) WHERE (state = 'sent'::text);
CREATE INDEX notification_state ON public.notification USING btree (state, id DESC);
CREATE INDEX task_attempt_deadline ON public.task_attempt USING btree (deadline_at) WHERE ((state = 'running'::text) AND (deadline_at IS NOT NULL));
CREATE INDEX task_attempt_fenced ON public.task_attempt USING btree (worker_id, ended_at) WHERE fenced;
CREATE INDEX task_attempt_live ON public.task_attempt USING btree (worker_id) WHERE (state = 'running'::text);
CREATE INDEX task_def_start_timeout ON public.task_def USING btree (version_id) WHERE (start_timeout IS NOT NULL);
CREATE INDEX task_edge_downstream ON public.task_edge USING btree (version_id, downstream_index);
CREATE INDEX task_event_at ON ONLY public.task_event USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX task_event_run ON ONLY public.task_event USING btree (dag_run_id, at);
CREATE INDEX task_gate_task ON public.task_gate USING btree (version_id, task_index);
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
CREATE INDEX task_instance_wait_queue ON public.task_instance USING btree (id) WHERE ((state = 'queued'::text) AND (lane = 'wait'::text));
CREATE INDEX task_instance_wake ON public.task_instance USING btree (wake_at) WHERE (state = 'up_for_retry'::text);
CREATE INDEX task_instance_window ON public.task_instance USING btree (dag_run_id, task_index) WHERE ((map_index >= 0) AND (state = ANY (ARRAY['queued'::text, 'running'::text, 'up_for_retry'::text])));
CREATE INDEX task_wait_due ON public.task_wait USING btree (wake_at);
CREATE INDEX task_wait_key ON public.task_wait USING btree (kind, key);
CREATE INDEX worker_ended ON public.worker USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX worker_live ON public.worker USING btree (host_id) WHERE (state = ANY (ARRAY['active'::text, 'draining'::text]));
CREATE INDEX xcom_blob_use ON public.xcom USING btree (blob_hash) WHERE (blob_hash IS NOT NULL);
CREATE UNIQUE INDEX catalog_job_task ON public.catalog_job USING btree (dag_id, task_id) WHERE (dag_id IS NOT NULL);
CREATE UNIQUE INDEX dag_run_tick ON public.dag_run USING btree (dag_id, logical_date) WHERE (kind = 'scheduled'::text);

-- triggers
CREATE TRIGGER connection_changes AFTER INSERT OR DELETE OR UPDATE ON public.connection FOR EACH STATEMENT EXECUTE FUNCTION count_secret_change();
CREATE TRIGGER dag_run_born AFTER INSERT ON public.dag_run FOR EACH ROW EXECUTE FUNCTION set_run_deadlines();
CREATE TRIGGER dag_run_ended AFTER UPDATE OF state ON public.dag_run FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['success'::text, 'failed'::text])))) EXECUTE FUNCTION tell_run_end();
CREATE TRIGGER dag_run_started AFTER UPDATE OF started_at ON public.dag_run FOR EACH ROW WHEN (((old.started_at IS NULL) AND (new.started_at IS NOT NULL) AND (new.state = 'running'::text))) EXECUTE FUNCTION set_run_deadlines();
CREATE TRIGGER dag_run_wakes AFTER UPDATE OF state ON public.dag_run FOR EACH ROW WHEN (((new.state = ANY (ARRAY['success'::text, 'failed'::text])) AND (old.state <> new.state))) EXECUTE FUNCTION wake_run_waits();
CREATE TRIGGER dataset_event_wakes AFTER INSERT ON public.dataset_event REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION wake_dataset_waits();
CREATE TRIGGER import_error_told AFTER INSERT OR UPDATE OF message ON public.import_error FOR EACH ROW EXECUTE FUNCTION tell_import_error();
CREATE TRIGGER task_instance_births AFTER INSERT ON public.task_instance FOR EACH ROW WHEN ((new.state <> 'none'::text)) EXECUTE FUNCTION refuse_move();
CREATE TRIGGER task_instance_deadline AFTER INSERT OR UPDATE OF state ON public.task_instance FOR EACH ROW WHEN ((new.deadline IS NOT NULL)) EXECUTE FUNCTION track_deadline();
CREATE TRIGGER task_instance_failed AFTER UPDATE OF state ON public.task_instance FOR EACH ROW WHEN (((old.state <> new.state) AND (new.state = ANY (ARRAY['failed'::text, 'up_for_retry'::text])))) EXECUTE FUNCTION tell_task();
CREATE TRIGGER task_instance_moves AFTER UPDATE OF state ON public.task_instance FOR EACH ROW WHEN (((old.state <> new.state) AND (NOT legal_move(old.state, new.state)))) EXECUTE FUNCTION refuse_move();
CREATE TRIGGER task_instance_waits AFTER UPDATE OF state ON public.task_instance FOR EACH ROW WHEN (((old.state = ANY (ARRAY['deferred'::text, 'up_for_reschedule'::text, 'queued'::text])) AND (new.state <> ALL (ARRAY['queued'::text, 'running'::text, 'deferred'::text])))) EXECUTE FUNCTION end_wait();
CREATE TRIGGER variable_changes AFTER INSERT OR DELETE OR UPDATE ON public.variable FOR EACH STATEMENT EXECUTE FUNCTION count_secret_change();


-- sequences
create sequence catalog_node_seq;
create sequence file_load_seq;

-- functions
CREATE OR REPLACE FUNCTION public.activate_items(p_ids bigint[])
 RETURNS integer
 LANGUAGE sql
AS $function$
  with map as (
    select distinct t.dag_run_id, t.version_id, t.task_index, t.max_active from task_instance t where t.id = any (p_ids) and t.map_index >= 0
  ), room as (
    select m.dag_run_id, m.task_index, map_window(m.max_active, v.max_active_tasks) - (
      select count(*) from task_instance a where a.dag_run_id = m.dag_run_id and a.task_index = m.task_index and a.map_index >= 0
        and a.state in ('queued', 'running', 'up_for_retry')) as places
    from map m join dag_version v on v.id = m.version_id
  ), moved as (
    update task_instance t set state = 'queued', queued_at = now()
    from room r cross join lateral (
      select s.id from task_instance s where s.dag_run_id = r.dag_run_id and s.task_index = r.task_index and s.state = 'scheduled'
      order by s.map_index limit greatest(r.places, 0)) s
    where t.id = s.id
    returning t.id, t.dag_run_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'scheduled', 'queued' from moved
  )
  select count(*)::integer from moved
$function$;
CREATE OR REPLACE FUNCTION public.add_partition(p_table text, p_month date, p_from text, p_to text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  name text := p_table || '_' || to_char(p_month, 'YYYY_MM');
begin
  if to_regclass(name) is null then
    execute format('create table %I partition of %I for values from (%L) to (%L)', name, p_table, p_from, p_to);
  end if;
exception when check_violation then
  raise notice 'rows of % are in the default partition of %', p_month, p_table;
end
$function$;
CREATE OR REPLACE FUNCTION public.admit_waits(p_limit integer)
 RETURNS integer
 LANGUAGE sql
AS $function$
  with chosen as (
    select id from task_instance where state = 'queued' and lane = 'wait' order by id limit p_limit for no key update skip locked
  ), moved as (
    update task_instance t set state = 'deferred', try_number = try_number + 1, attempt_id = uuidv7(), started_at = now(), ended_at = null,
      wake_at = null, reason = null, start_by = null
    from chosen c where t.id = c.id
    returning t.id, t.dag_run_id, t.version_id, t.task_index, t.attempt_id, t.try_number
  ), attempt as (
    insert into task_attempt (attempt_id, task_instance_id, dag_run_id, try_number, claim_id, state, deadline_at)
    select m.attempt_id, m.id, m.dag_run_id, m.try_number, gen_random_uuid(), 'deferred', now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
  ), wait as (
    insert into task_wait (task_instance_id, attempt_id, kind, deadline)
    select m.id, m.attempt_id, d.operator ->> 'name', now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
    select id, dag_run_id, 'queued', 'deferred', attempt_id from moved
  )
  select count(*)::integer from moved
$function$;
CREATE OR REPLACE FUNCTION public.advance_backfill(p_backfill bigint, p_version bigint, p_params jsonb, p_limit integer, OUT created integer, OUT ready integer, OUT more boolean)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  b backfill;
  day backfill_date;
  room integer;
  seen integer := 0;
  verdict text;
  horizon timestamptz;
begin
  created := 0;
  ready := 0;
  more := false;
  perform from dag d join backfill f on f.dag_id = d.dag_id where f.id = p_backfill and d.active and not d.paused for no key update of d;
  if not found then
    return;
  end if;
  select * into b from backfill where id = p_backfill and completed_at is null and not paused for no key update;
  if b.id is null then
    return;
  end if;
  horizon := scheduled_from(b.dag_id);
  room := b.max_active_runs - (select count(*) from dag_run where backfill_id = b.id and state in ('queued', 'running'));
  for day in select * from backfill_date where backfill_id = b.id and outcome is null order by position limit p_limit loop
    exit when room <= 0; -- guard: backfill-room
    verdict := backfill_outcome(b.dag_id, b.reprocess, day.logical_date, horizon);
    if verdict = 'created' then
      perform create_run(b.dag_id, 'backfill__' || to_char(day.logical_date at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '_' || b.id,
        p_version, 'backfill', day.logical_date, day.interval_start, day.interval_end, null, b.conf, p_params, b.created_by,
        p_backfill => b.id);
      created := created + 1;
      room := room - 1;
    end if;
    update backfill_date set outcome = verdict where backfill_id = b.id and position = day.position;
    seen := seen + 1;
  end loop;
  ready := start_runs(b.dag_id);
  more := seen = p_limit;
  update backfill set completed_at = now(), updated_at = now()
  where id = b.id and not exists (select from backfill_date where backfill_id = b.id and outcome is null)
    and not exists (select from dag_run where backfill_id = b.id and state in ('queued', 'running'));
end
$function$;
CREATE OR REPLACE FUNCTION public.apply_plans(p_plans jsonb, OUT created integer, OUT ready integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  p jsonb;
begin
  created := 0;
  ready := 0;
  for p in select jsonb_array_elements(p_plans) loop
    if p -> 'run' <> 'null' then
      created := created + (create_run(p ->> 'dag_id', p -> 'run' ->> 'run_id', (p ->> 'version_id')::bigint, 'scheduled',
        (p -> 'run' ->> 'logical')::timestamptz, (p -> 'run' ->> 'start')::timestamptz, (p -> 'run' ->> 'end')::timestamptz,
        (p -> 'run' ->> 'run_after')::timestamptz, '{}', p -> 'run' -> 'params', 'scheduler') is not null)::integer;
    end if;
    update dag set plan_pending = false, scheduled_until = coalesce((p ->> 'settled')::timestamptz, scheduled_until),
      skipped_ticks = skipped_ticks + (p ->> 'skipped')::bigint,
      next_run_after = (p -> 'next' ->> 'run_after')::timestamptz, next_logical_date = (p -> 'next' ->> 'logical')::timestamptz,
      next_interval_start = (p -> 'next' ->> 'start')::timestamptz, next_interval_end = (p -> 'next' ->> 'end')::timestamptz
    where dag_id = p ->> 'dag_id';
    if p -> 'run' <> 'null' then
      ready := ready + start_runs(p ->> 'dag_id');
    end if;
  end loop;
end
$function$;
CREATE OR REPLACE FUNCTION public.backfill_outcome(p_dag text, p_reprocess text, p_logical timestamp with time zone, p_scheduled_from timestamp with time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when exists (select from dag_run where dag_id = p_dag and logical_date = p_logical and state in ('queued', 'running')) then 'in_flight'
    when latest.state is null then case when p_logical >= p_scheduled_from then 'scheduled' else 'created' end
    when p_reprocess = 'all' or p_reprocess = 'failed' and latest.state = 'failed' then 'created'
    else 'exists'
  end
  from (select (select state from dag_run where dag_id = p_dag and logical_date = p_logical order by id desc limit 1) as state) latest
$function$;
CREATE OR REPLACE FUNCTION public.bad_choice(def task_def, chosen jsonb)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select c from jsonb_array_elements_text(chosen) c
  where not exists (
    select from task_edge e
    join task_def d on d.version_id = e.version_id and d.task_index = e.downstream_index
    where e.version_id = def.version_id and e.upstream_index = def.task_index
      and d.task_id = coalesce(def.branch_targets ->> c, c)
  )
  limit 1
$function$;
CREATE OR REPLACE FUNCTION public.cancel_backfill(p_backfill bigint)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  one bigint;
begin
  perform from dag d join backfill f on f.dag_id = d.dag_id where f.id = p_backfill for no key update of d;
  perform from backfill where id = p_backfill and completed_at is null for no key update;
  if not found then
    return null;
  end if;
  update backfill set completed_at = now(), updated_at = now(), cancelled = true where id = p_backfill;
  update backfill_date set outcome = 'cancelled' where backfill_id = p_backfill and outcome is null;
  for one in select id from dag_run where backfill_id = p_backfill and state = 'queued' order by id loop
    perform cancel_run(one);
  end loop;
  return (select count(*) from dag_run where backfill_id = p_backfill and state = 'running');
end
$function$;
CREATE OR REPLACE FUNCTION public.cancel_run(p_run bigint, p_reason text DEFAULT 'cancelled'::text)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  whole boolean;
  chosen bigint[];
  n integer;
begin
  select cancel_requested_at is not null or state = 'queued' into whole
  from dag_run where id = p_run and state in ('queued', 'running') for no key update; -- guard: cancel-lock, cancel-once
  if not found then
    return null;
  end if;
  update dag_run set cancel_requested_at = coalesce(cancel_requested_at, now()), reason = coalesce(reason, p_reason) where id = p_run;
  with moved as (
    update task_instance set state = 'skipped', reason = p_reason, ended_at = now(), wake_at = null
    where dag_run_id = p_run and state in ('none', 'scheduled', 'queued', 'up_for_retry', 'up_for_reschedule', 'deferred')
      and (whole or rule <> 'all_done_setup_success')
    returning id, dag_run_id, old.state as from_state
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, from_state, 'skipped', p_reason from moved
  )
  select coalesce(array_agg(id), '{}') into chosen from moved;
  update task_attempt a set revoked = 'cancelled' from task_instance t
  where a.dag_run_id = p_run and a.state = 'running' and a.revoked is distinct from 'cancelled' and t.id = a.task_instance_id
    and (whole or t.rule <> 'all_done_setup_success');
  get diagnostics n = row_count;
  perform propagate(chosen, '{}');
  return n;
end
$function$;
CREATE OR REPLACE FUNCTION public.catalog_columns(p_dataset_id bigint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select s.columns from catalog_schema s where s.dataset_id = p_dataset_id
   order by array_position(array['hive', 'output', 'input'], s.source), s.last_seen_at desc, s.digest limit 1
$function$;
CREATE OR REPLACE FUNCTION public.catalog_writes(p_dataset_id bigint, p_limit integer)
 RETURNS TABLE(attempt_id uuid, at timestamp with time zone, row_count bigint, byte_count bigint)
 LANGUAGE sql
 STABLE
AS $function$
  select distinct on (w.attempt_id) w.attempt_id, w.at, w.row_count, w.byte_count
  from (
    (select r.attempt_id, o.at, o.row_count, o.byte_count
       from lineage_io o join lineage_run r on r.run_id = o.run_id
      where o.dataset_id = p_dataset_id and o.direction = 'out' and r.attempt_id is not null
      order by o.at desc limit p_limit)
    union all
    select i.attempt_id, i.ended_at, null, null
      from catalog_edge e
      join catalog_job j on j.job_id = e.source and j.dag_id is not null
      cross join lateral (
        select t.attempt_id, t.ended_at from task_instance t
         where t.dag_id = j.dag_id and t.task_id = j.task_id and t.state = 'success' order by t.id desc limit p_limit) i
     where e.target = p_dataset_id and e.declared and i.attempt_id is not null
       and not exists (
         select from lineage_io o join lineage_run r on r.run_id = o.run_id
          where o.dataset_id = p_dataset_id and o.direction = 'out' and r.attempt_id is not null)
  ) w
  order by w.attempt_id, w.row_count desc nulls last, w.at desc
$function$;
CREATE OR REPLACE FUNCTION public.check_identity()
 RETURNS text
 LANGUAGE plpgsql
AS $function$
declare
  known jsonb;
  present jsonb := database_identity();
  reason text;
begin
  select value into known from setting where key = 'identity' for no key update;
  if known = present then
    return null;
  end if;
  insert into setting (key, value) values ('identity', present)
  on conflict (key) do update set value = excluded.value, updated_at = now();
  if known is null then
    return null;
  end if;
  reason := case when known ->> 'system' <> present ->> 'system' then 'it is on another database server'
    when known ->> 'database' <> present ->> 'database' then 'it is a copy, or restored from a backup'
    else 'its server was restored to a point in time' end;
  perform start_epoch((select value::text::bigint from setting where key = 'epoch'), reason);
  return reason;
end
$function$;
CREATE OR REPLACE FUNCTION public.checked_choices(p_outcomes jsonb)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_agg(case when bad is null then o else (o - 'value' - 'events') || jsonb_build_object('state', 'failed', 'retry', 'fatal',
    'error', jsonb_build_object('code', 'BRANCH_UNKNOWN', 'message', format('the branch chose %s, which is not directly downstream', bad),
      'remedy', 'Return names of `to`, or ids of direct downstream tasks.')) end)
  from jsonb_array_elements(p_outcomes) o
  left join lateral (
    select bad_choice(d, o -> 'branch') as bad from task_attempt a
    join task_instance t on t.id = a.task_instance_id
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    where a.attempt_id = (o ->> 'attemptId')::uuid and jsonb_typeof(o -> 'branch') = 'array'
  ) b on true
$function$;
CREATE OR REPLACE FUNCTION public.choose_queued(p_queues text[], p_functions integer, p_operators integer)
 RETURNS bigint[]
 LANGUAGE plpgsql
AS $function$
declare
  got record;
  lanes text[];
  pools text[];
  queues text[];
  best bigint[];
  rank_now bigint;
begin
  select p_functions as functions, p_operators as operators, '{}'::integer[] as free, '{}'::bigint[] as picked into got;
  select array_agg(s.lane order by n), array_agg(s.pool order by n), array_agg(s.queue order by n), array_agg(s.free order by n),
    array_agg(s.best order by n)
  into lanes, pools, queues, got.free, best
  from open_sources(array_remove(array[case when p_functions > 0 then 'function' end, case when p_operators > 0 then 'operator' end],
    null), p_queues) with ordinality s (lane, pool, queue, free, best, n);
  loop
    rank_now := (select min(b) from unnest(best) b);
    exit when rank_now is null;
    got := pick_of_rank(rank_now, lanes, pools, queues, best, got.functions, got.operators, got.free, got.picked);
    for i in 1 .. cardinality(pools) loop
      if best[i] = rank_now then
        best[i] := case when got.free[i] > 0 and case lanes[i] when 'function' then got.functions else got.operators end > 0 then (
          select t.rank from task_instance t
          where t.state = 'queued' and t.lane = lanes[i] and t.pool = pools[i] and t.queue = queues[i] and t.rank > rank_now
          order by t.rank limit 1) end;
      end if;
    end loop;
  end loop;
  return got.picked;
end
$function$;
CREATE OR REPLACE FUNCTION public.claim_input_limit()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$select 1048576::bigint$function$;
CREATE OR REPLACE FUNCTION public.claim_lock()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$select 7101003::bigint$function$;
CREATE OR REPLACE FUNCTION public.claim_tasks(p_worker uuid, p_claim uuid, p_repeated boolean, p_functions integer, p_operators integer, OUT tasks jsonb, OUT claimed integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  served text[];
  ids bigint[];
begin
  tasks := '[]';
  claimed := 0;
  if p_repeated and exists (select from task_attempt where worker_id = p_worker and state = 'running' and claim_id = p_claim) then -- guard: claim-repeated
    tasks := claimed_tasks(p_worker, p_claim);
    return;
  end if;
  if p_functions + p_operators <= 0 or not exists (select from task_instance where state = 'queued') then
    return;
  end if;
  select queues into served from worker where worker_id = p_worker and state = 'active'; -- guard: claim-active-worker
  if served is null then
    return;
  end if;
  perform pg_advisory_xact_lock(claim_lock()); -- guard: claim-lock
  ids := choose_queued(served, p_functions, p_operators);
  claimed := cardinality(ids);
  if claimed > 0 then
    perform start_attempts(p_worker, p_claim, ids);
    tasks := claimed_tasks(p_worker, p_claim);
  end if;
end
$function$;
CREATE OR REPLACE FUNCTION public.claimed_tasks(p_worker uuid, p_claim uuid)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(jsonb_agg(jsonb_build_object(
    'attemptId', a.attempt_id, 'token', a.token, 'taskInstanceId', t.id, 'dagId', t.dag_id, 'runId', r.run_id, 'taskId', t.task_id,
    'mapIndex', t.map_index, 'tryNumber', a.try_number, 'versionId', t.version_id, 'bundleHash', v.bundle_hash, 'kind', d.kind,
    'rule', d.rule, 'operator', d.operator, 'params', r.params, 'logicalDate', r.logical_date, 'intervalStart', r.interval_start,
    'intervalEnd', r.interval_end, 'partition', r.partition, 'inputs', d.inputs, 'branchTargets', d.branch_targets, 'emits', d.emits, 'retryPolicy', d.retry_policy, 'sensor', d.sensor,
    -- A sensor's timeout is for the whole wait.
    'timeoutMs', case when a.polls = 0 then d.timeout_ms else greatest(1, extract(epoch from a.deadline_at - now()) * 1000)::bigint end,
    'firstLogLine', case when a.polls = 0 then 1 else next_log_line(a.attempt_id) end,
    'item', case when t.map_index >= 0 then item_of(t, d) end,
    'upstream', case when d.value_indexes = '{}' then '{}' else upstream_values(t, d, claim_input_limit()) end,
    'events', case when r.kind <> 'dataset' then '[]' else run_events(r.id) end,
    'previousHandle', case when a.try_number > 1 then previous_handle(t.id, a.try_number) end) order by t.rank, t.id), '[]')
  from task_attempt a
  join task_instance t on t.id = a.task_instance_id
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join dag_run r on r.id = t.dag_run_id
  join dag_version v on v.id = t.version_id
  where a.worker_id = p_worker and a.state = 'running' and a.claim_id = p_claim
$function$;
CREATE OR REPLACE FUNCTION public.clear_instances(p_run bigint, p_ids bigint[])
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  fenced integer;
begin
  perform lock_run(p_run);
  fenced := withdraw_instances(p_run, p_ids, 'cleared');
  perform fold_maps(p_run, p_ids);
  update dag_run set cancel_requested_at = null, reason = null where id = p_run;
  perform resume_run(p_run);
  return fenced;
end
$function$;
CREATE OR REPLACE FUNCTION public.concurrency_key(p_concurrency jsonb, run dag_run)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when p_concurrency is null then null
    when jsonb_typeof(p_concurrency -> 'key') = 'string' then p_concurrency ->> 'key'
    when p_concurrency -> 'key' ? '$param' then concat((
      select string_agg(p, '.') || '=' || coalesce(run.params #>> array_agg(p), '')
      from jsonb_array_elements_text(p_concurrency -> 'key' -> '$param') p))
    else concat(p_concurrency -> 'key' ->> '$run', '=', case p_concurrency -> 'key' ->> '$run'
      when 'runId' then run.run_id when 'dagId' then run.dag_id when 'logicalDate' then run.logical_date::text
      when 'intervalStart' then run.interval_start::text when 'intervalEnd' then run.interval_end::text end)
  end
$function$;
CREATE OR REPLACE FUNCTION public.count_down(p_ended bigint[], p_undecided bigint[], OUT ended bigint[], OUT queued integer, OUT expand bigint[], OUT items bigint[])
 RETURNS record
 LANGUAGE sql
AS $function$
  with delta as (
    select f.dag_run_id, e.downstream_index as task_index, case when e.per_item then f.map_index end as item,
      (count(*) filter (where f.state = 'success'))::integer as success, (count(*) filter (where f.state = 'failed'))::integer as failed,
      (count(*) filter (where f.state = 'skipped'))::integer as skipped,
      (count(*) filter (where f.state = 'upstream_failed'))::integer as upstream_failed, 0 as gates
    from task_instance f
    join task_edge e on e.version_id = f.version_id and e.upstream_index = f.task_index
    where f.id = any (p_ended)
    group by 1, 2, 3
    union all
    select f.dag_run_id, g.task_index, case when g.per_item then f.map_index end, 0, 0, 0, 0, count(*)::integer
    from task_instance f
    join task_gate g on g.version_id = f.version_id and g.gate_index = f.task_index
    where f.id = any (p_ended)
    group by 1, 2, 3
  ), touched as (
    select t.id, d.success, d.failed, d.skipped, d.upstream_failed, d.gates
    from delta d
    join task_instance t on t.dag_run_id = d.dag_run_id and t.task_index = d.task_index
      and t.map_index between coalesce(d.item, -1) and coalesce(d.item, 2147483647) and t.state = 'none'
    union all
    select id, 0, 0, 0, 0, 0 from unnest(p_undecided) id
  ), counted as (
    select t.id, t.dag_run_id, t.version_id, t.task_index, t.rule, t.up_total, (t.up_success + sum(d.success))::integer as success,
      (t.up_failed + sum(d.failed))::integer as failed, (t.up_skipped + sum(d.skipped))::integer as skipped,
      (t.up_upstream_failed + sum(d.upstream_failed))::integer as upstream_failed, (t.gates_open - sum(d.gates))::integer as gates
    from touched d
    join task_instance t on t.id = d.id and t.state = 'none'
    group by t.id
  ), decided as (
    select c.*, case
      when gates > 0 then 'none'
      when rule <> 'all_done_setup_success' then decide(rule, up_total, success, failed, skipped, upstream_failed)
      when success + failed + skipped + upstream_failed < up_total then 'none'
      else decide_teardown(dag_run_id, version_id, task_index)
    end as decision
    from counted c
  ), moved as (
    update task_instance t set
      up_success = c.success, up_failed = c.failed, up_skipped = c.skipped, up_upstream_failed = c.upstream_failed, gates_open = c.gates,
      state = case when c.decision <> 'queued' then c.decision when t.expands then 'none' when t.map_index >= 0 then 'scheduled'
        else 'queued' end,
      queued_at = case when c.decision = 'queued' and not t.expands and t.map_index < 0 then now() end,
      ended_at = case when c.decision in ('skipped', 'upstream_failed') then now() end,
      reason = case c.decision when 'skipped' then 'the trigger rule' when 'upstream_failed' then 'an upstream failed' end
    from decided c
    where t.id = c.id and (p_ended <> '{}' or c.decision <> 'none')
    returning t.id, t.dag_run_id, t.state, t.reason, c.decision
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved where state <> 'none'
  )
  select coalesce(array_agg(id) filter (where state in ('skipped', 'upstream_failed')), '{}'),
    (count(*) filter (where state = 'queued'))::integer,
    coalesce(array_agg(id) filter (where state = 'none' and decision = 'queued'), '{}'),
    coalesce(array_agg(id) filter (where state = 'scheduled'), '{}')
      || array(select id from task_instance where id = any (p_ended) and map_index >= 0)
  from moved
$function$;
CREATE OR REPLACE FUNCTION public.count_metric(p_name text, p_by bigint)
 RETURNS void
 LANGUAGE sql
AS $function$
  insert into metric_counter as c (name, value) select p_name, p_by where p_by > 0
  on conflict (name) do update set value = c.value + excluded.value
$function$;
CREATE OR REPLACE FUNCTION public.count_secret_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update setting set value = to_jsonb(value::text::bigint + 1), updated_at = now() where key = 'secrets';
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.create_run(p_dag text, p_run_id text, p_version bigint, p_kind text, p_logical timestamp with time zone, p_start timestamp with time zone, p_end timestamp with time zone, p_run_after timestamp with time zone, p_conf jsonb, p_params jsonb, p_by text, p_backfill bigint DEFAULT NULL::bigint, p_partition text DEFAULT NULL::text)
 RETURNS bigint
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  run dag_run;
  n integer;
begin
  insert into dag_run (dag_id, run_id, version_id, kind, logical_date, interval_start, interval_end, run_after, conf, params, triggered_by,
    backfill_id, partition)
  values (p_dag, p_run_id, p_version, p_kind, p_logical, p_start, p_end, coalesce(p_run_after, now()), p_conf, p_params, p_by, p_backfill,
    p_partition)
  on conflict do nothing -- guard: tick-once
  returning * into run;
  if run.id is null then
    return null;
  end if;
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, rule, expands, up_total, gates_open, deadline, lane, pool, pool_slots, priority,
    max_active, queue, backfill, concurrency_key, concurrency_limit, queue_timeout)
  select run.id, d.version_id, p_dag, task_id, task_index, rule, map_over_index is not null, upstream_count, gate_count, deadline, lane, pool, pool_slots, priority,
    max_active, queue, p_backfill is not null, concurrency_key(d.concurrency, run), (d.concurrency ->> 'limit')::integer, queue_timeout
  from task_def d where d.version_id = p_version order by task_index;
  get diagnostics n = row_count;
  update dag_run r set unfinished = n, concurrency_key = concurrency_key(v.concurrency, run),
    concurrency_limit = (v.concurrency ->> 'limit')::integer
  from dag_version v where r.id = run.id and v.id = p_version;
  return run.id;
end
$function$;
CREATE OR REPLACE FUNCTION public.database_identity()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object('system', (select system_identifier::text from pg_control_system()),
    'database', (select oid::text from pg_database where datname = current_database()),
    'timeline', (select timeline_id from pg_control_checkpoint()))
$function$;
CREATE OR REPLACE FUNCTION public.dataset_lock()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$select 7101002::bigint$function$;
CREATE OR REPLACE FUNCTION public.deadline_due(p_deadline jsonb, run dag_run, p_queued timestamp with time zone)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  select case p_deadline ->> 'from' when 'runStart' then run.started_at when 'logicalDate' then run.logical_date else p_queued end
    + make_interval(secs => (p_deadline ->> 'afterMs')::double precision / 1000)
$function$;
CREATE OR REPLACE FUNCTION public.decide(rule text, total integer, success integer, failed integer, skipped integer, upstream_failed integer)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
begin
  return case
    when total = 0 or rule = 'always' then 'queued'
    when rule = 'one_success' and success > 0 then 'queued'
    when rule = 'one_failed' and failed + upstream_failed > 0 then 'queued'
    when rule = 'one_done' and success + failed > 0 then 'queued'
    when success + failed + skipped + upstream_failed < total then 'none'
    when rule = 'all_success' then
      case when failed + upstream_failed > 0 then 'upstream_failed' when skipped > 0 then 'skipped' else 'queued' end
    when rule = 'all_failed' then case when success + skipped > 0 then 'skipped' else 'queued' end
    when rule = 'all_done' then 'queued'
    when rule = 'all_done_min_one_success' then
      case when skipped > 0 then 'skipped' when success = 0 then 'upstream_failed' else 'queued' end
    when rule = 'all_skipped' then case when skipped = total then 'queued' else 'skipped' end
    when rule = 'one_success' then case when skipped = total then 'skipped' else 'upstream_failed' end
    when rule in ('one_failed', 'one_done') then 'skipped'
    when rule = 'none_failed' then case when failed + upstream_failed > 0 then 'upstream_failed' else 'queued' end
    when rule = 'none_failed_min_one_success' then
      case when failed + upstream_failed > 0 then 'upstream_failed' when skipped = total then 'skipped' else 'queued' end
    when rule = 'none_skipped' then case when skipped > 0 then 'skipped' else 'queued' end
  end;
end
$function$;
CREATE OR REPLACE FUNCTION public.decide_teardown(p_run bigint, p_version bigint, p_index integer)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when count(*) = 0 or bool_or(u.state = 'success') then 'queued'
    when bool_and(u.state = 'skipped') then 'skipped'
    else 'upstream_failed'
  end
  from task_edge e
  join task_def d on d.version_id = e.version_id and d.task_index = e.upstream_index and d.role = 'setup'
  join task_instance u on u.dag_run_id = p_run and u.task_index = e.upstream_index
  where e.version_id = p_version and e.downstream_index = p_index
$function$;
CREATE OR REPLACE FUNCTION public.due_waits()
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object(
    'queued', exists (select from task_instance where state = 'queued' and lane = 'wait'),
    'pokes', exists (select from task_instance where state = 'up_for_reschedule' and wake_at <= now()),
    'waits', exists (select from task_wait where wake_at <= now()),
    'nextInMs', extract(epoch from least((select min(wake_at) from task_wait where wake_at > now()),
      (select min(wake_at) from task_instance where state = 'up_for_reschedule' and wake_at > now())) - now()) * 1000)
$function$;
CREATE OR REPLACE FUNCTION public.end_attempts(p_outcomes jsonb, p_ids uuid[], p_fence boolean, OUT attempts uuid[], OUT ended bigint[], OUT requeued integer)
 RETURNS record
 LANGUAGE sql
AS $function$
  with given as materialized (
    select distinct on (attempt_id) attempt_id, token, o from (
      select (o ->> 'attemptId')::uuid as attempt_id, (o ->> 'token')::uuid as token, o from jsonb_array_elements(p_outcomes) o
    ) every_one
  ), attempt as (
    update task_attempt a set fenced = p_fence, exit = g.o -> 'exit', error = g.o -> 'error',
      -- A sensor's function that said "not yet" is called again in the same attempt, unless somebody ended it meanwhile.
      state = case when g.o ->> 'state' = 'up_for_reschedule' and a.revoked = 'cancelled' then 'failed' else g.o ->> 'state' end,
      ended_at = case when g.o ->> 'state' = 'up_for_reschedule' and a.revoked is distinct from 'cancelled' then null else now() end,
      polls = a.polls + (g.o ->> 'state' = 'up_for_reschedule')::integer
    from given g
    where a.attempt_id = any (p_ids) and a.attempt_id = g.attempt_id and a.token = g.token -- guard: outcome-token
      -- What runs is ended by who runs it, what waits by who waits for it.
      and case when g.o -> 'waits' = 'true' then a.state in ('deferred', 'up_for_reschedule') else a.state = 'running' end -- guard: outcome-state
    returning a.attempt_id, a.task_instance_id, a.revoked, a.polls, a.deadline_at, g.o
  ), target as (
    select a.*, def.*::task_def as def, t.infra_failures, t.try_number - t.uncounted_tries as counted,
      ended_state(a.o, a.revoked, t, def) as state,
      -- What was told to end is the task's own failure, also where its worker went with it.
      a.revoked is null and coalesce(a.o ->> 'retry' = 'infra', false) as is_infra
    from attempt a
    join task_instance t on t.id = a.task_instance_id and t.attempt_id = a.attempt_id
    join task_def def on def.version_id = t.version_id and def.task_index = t.task_index
  ), moved as (
    update task_instance t set
      state = g.state,
      decision = case when g.state = 'success' then nullif(coalesce(g.o -> 'branch', g.o -> 'proceed'), 'true') end,
      ended_at = case when g.state in ('success', 'failed', 'skipped') then now() end,
      queued_at = case when g.state = 'queued' then now() else t.queued_at end,
      reason = coalesce(g.revoked, g.o ->> 'reason', g.o -> 'error' ->> 'code'),
      uncounted_tries = t.uncounted_tries + (g.state = 'queued' or g.is_infra)::integer,
      infra_failures = t.infra_failures + (g.state <> 'queued' and g.is_infra)::integer,
      wake_at = case when g.state = 'up_for_reschedule' then least(g.deadline_at, now() + poke_delay(g.def, g.polls))
        when g.state <> 'up_for_retry' then null
        when g.is_infra then now() + infra_delay(g.infra_failures)
        else now() + coalesce(make_interval(secs => (g.o ->> 'retryAfterMs')::double precision / 1000), retry_delay(g.def, g.counted)) end
    from target g
    where t.id = g.task_instance_id
    returning t.id, t.dag_run_id, old.state as from_state, t.state, t.reason, g.attempt_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id, reason)
    select id, dag_run_id, from_state, state, attempt_id, reason from moved
  )
  select coalesce(array_agg(attempt_id), '{}'), coalesce(array_agg(id) filter (where state in ('success', 'failed', 'skipped')), '{}'),
    (count(*) filter (where state = 'queued'))::integer
  from moved
$function$;
CREATE OR REPLACE FUNCTION public.end_wait()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  delete from task_wait where task_instance_id = new.id;
  update task_attempt set ended_at = now(), state = case new.state when 'success' then 'success' when 'failed' then 'failed' else 'skipped' end
  where attempt_id = new.attempt_id and state in ('deferred', 'up_for_reschedule');
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.ended_state(o jsonb, revoked text, t task_instance, def task_def)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  return case
    when o ->> 'state' in ('success', 'skipped') then o ->> 'state'
    when revoked = 'cancelled' then 'failed'
    when o ->> 'state' = 'up_for_reschedule' then 'up_for_reschedule'
    when o ->> 'handBack' = 'true' then 'queued'
    when revoked is null and o ->> 'retry' = 'infra' then
      case when t.infra_failures < infra_limit() then 'up_for_retry' else 'failed' end
    when o ->> 'retry' = 'fatal' then 'failed'
    when t.try_number - t.uncounted_tries <= def.retries then 'up_for_retry'
    else 'failed'
  end;
end
$function$;
CREATE OR REPLACE FUNCTION public.ensure_partitions()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  month date;
  starts timestamptz;
  ends timestamptz;
begin
  perform pg_advisory_xact_lock(7101005); -- guard: partition-lock
  for n in 0 .. 1 loop
    month := date_trunc('month', now() at time zone 'UTC') + make_interval(months => n);
    starts := month::timestamp at time zone 'UTC';
    ends := (month + interval '1 month') at time zone 'UTC';
    perform add_partition('task_event', month, starts::text, ends::text);
    perform add_partition('log_chunk', month, uuid_at(starts)::text, uuid_at(ends)::text);
  end loop;
end
$function$;
CREATE OR REPLACE FUNCTION public.expand_map(p_id bigint, OUT ended bigint[], OUT queued integer)
 RETURNS record
 LANGUAGE plpgsql
 SET enable_hashjoin TO 'on'
AS $function$
declare
  items jsonb := mapped_over(p_id);
  problem record;
  map task_instance;
begin
  ended := '{}';
  queued := 0;
  problem := map_problem(items);
  if problem.state is not null then
    with moved as (
      update task_instance t set state = problem.state, ended_at = now(), reason = problem.reason where t.id = p_id
      returning id, dag_run_id, t.state, t.reason
    )
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved;
    ended := array[p_id];
    return;
  end if;
  select * into map from task_instance where id = p_id;
  perform spread_maps(map.dag_run_id, map.version_id, map.task_index || following_maps(map.dag_run_id, map.version_id, map.task_index),
    jsonb_array_length(items));
  with moved as (
    update task_instance set state = 'scheduled' where dag_run_id = map.dag_run_id and task_index = map.task_index
    returning id, dag_run_id, map_index
  ), item as (
    insert into map_item (task_instance_id, value)
    select m.id, i.value from jsonb_array_elements(items) with ordinality i (value, position) join moved m on m.map_index = i.position - 1
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
  select id, dag_run_id, 'none', 'scheduled' from moved;
  queued := activate_items(array[p_id]);
end
$function$;
CREATE OR REPLACE FUNCTION public.expire_instances(p_limit integer, OUT expired integer, OUT queued integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  ids bigint[];
  locked bigint[];
  after record;
begin
  expired := 0;
  queued := 0;
  select array_agg(id) into ids from (
    (select id from task_instance
     where state = 'queued' and queue_timeout is not null and (queued_at at time zone 'UTC') + queue_timeout <= (now() at time zone 'UTC')
     limit p_limit)
    union
    (select id from task_instance
     where state in ('none', 'scheduled', 'queued') and start_by is not null and start_by <= now() limit p_limit)
  ) due;
  if ids is null then
    return;
  end if;
  -- Runs that somebody else changes right now are left for the next look.
  select array_agg(id) into locked from (
    select id from dag_run where id in (select dag_run_id from task_instance where id = any (ids)) and state = 'running'
    order by id for no key update skip locked) run;
  with moved as (
    update task_instance set state = 'failed', ended_at = now(), reason = case when start_by <= now() then 'start timeout' else 'queue timeout' end
    where id = any (ids) and dag_run_id = any (locked) and state in ('none', 'scheduled', 'queued')
      and (start_by <= now() or state = 'queued' and queued_at + queue_timeout <= now())
    returning id, dag_run_id, old.state as from_state, reason
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, from_state, 'failed', reason from moved
  )
  select coalesce(array_agg(id), '{}') into ids from moved;
  expired := cardinality(ids);
  select * into after from propagate(ids, '{}');
  queued := after.queued;
end
$function$;
CREATE OR REPLACE FUNCTION public.expire_runs(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  one bigint;
  n integer := 0;
begin
  for one in
    select id from dag_run where state = 'running' and timeout_at <= now() and cancel_requested_at is null
    order by id limit p_limit for no key update skip locked
  loop
    perform cancel_run(one, 'the run timed out');
    n := n + 1;
  end loop;
  return n;
end
$function$;
CREATE OR REPLACE FUNCTION public.final_state(p_run bigint)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
  select case when exists (
    select from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    where t.dag_run_id = p_run and d.is_leaf and t.state in ('failed', 'upstream_failed')
  ) then 'failed' else 'success' end
$function$;
CREATE OR REPLACE FUNCTION public.finish_and_claim(p_worker uuid, p_outcomes jsonb, p_functions integer, p_operators integer, p_claim uuid, p_repeated boolean)
 RETURNS jsonb
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  done record;
  next record;
  queued integer := 0;
  closed integer := 0;
  events integer := 0;
  freed integer := 0;
  known jsonb := '[]';
begin
  if jsonb_array_length(p_outcomes) > 0 then
    done := finish_attempts(p_outcomes, false);
    queued := done.queued;
    closed := done.closed;
    events := done.events;
    freed := cardinality(done.attempts);
    known := to_jsonb(done.attempts);
    -- Accepted are also those that an earlier call recorded and whose answer was lost.
    if cardinality(done.attempts) < jsonb_array_length(p_outcomes) then
      select coalesce(jsonb_agg(a.attempt_id), '[]') into known
      from jsonb_array_elements(p_outcomes) o
      join task_attempt a on a.attempt_id = (o ->> 'attemptId')::uuid
      where a.token = (o ->> 'token')::uuid and a.state <> 'running' and not a.fenced or a.previous_token = (o ->> 'token')::uuid; -- guard: outcome-known-token, outcome-known-fenced
    end if;
  end if;
  next := claim_tasks(p_worker, p_claim, p_repeated, p_functions, p_operators);
  -- Others are woken for what became ready and was not taken, and for slots that were given back and not taken again.
  return jsonb_build_object('accepted', known, 'claimed', next.tasks, 'surplus', queued > next.claimed
      or freed > next.claimed and exists (select from task_instance where state = 'queued'), 'closed', closed,
    'events', events, 'secrets', case when next.tasks <> '[]' then secrets_version() end);
end
$function$;
CREATE OR REPLACE FUNCTION public.finish_attempts(p_outcomes jsonb, p_fence boolean, OUT attempts uuid[], OUT queued integer, OUT closed integer, OUT events integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  outcomes jsonb := p_outcomes;
  ids uuid[] := array(select (o ->> 'attemptId')::uuid from jsonb_array_elements(p_outcomes) o);
  runs bigint[] := array(select distinct dag_run_id from task_attempt where attempt_id = any (ids));
  done record;
  after record;
  decides boolean := p_outcomes @? '$[*] ? (exists (@.branch[*]) || @.branch.size() == 0 || @.proceed == false)';
begin
  -- Every change of a run's instances, claims apart, happens under the run's lock; runs are locked in order of id.
  perform from dag_run where id = any (runs) order by id for no key update; -- guard: run-lock
  if decides then
    outcomes := checked_choices(outcomes);
  end if;
  done := end_attempts(outcomes, ids, p_fence);
  attempts := done.attempts;
  -- Strict: lax would look into an array, and an empty one holds nothing.
  if outcomes @? 'strict $[*] ? (@.value != null)' then
    perform keep_values(outcomes, attempts);
  end if;
  events := record_events(outcomes, attempts);
  if decides then
    done.ended := done.ended || skip_unchosen(done.ended);
  end if;
  after := propagate(done.ended, '{}');
  queued := after.queued + done.requeued;
  closed := after.closed;
end
$function$;
CREATE OR REPLACE FUNCTION public.finish_waits(p_outcomes jsonb, OUT attempts uuid[], OUT queued integer, OUT closed integer, OUT events integer)
 RETURNS record
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  ids uuid[] := array(select (o ->> 'attemptId')::uuid from jsonb_array_elements(p_outcomes) o);
  done record;
begin
  perform from dag_run where id in (select dag_run_id from task_attempt where attempt_id = any (ids)) order by id for no key update;
  if p_outcomes @? '$[*].events[*]' then
    perform pg_advisory_xact_lock(dataset_lock());
  end if;
  perform from task_wait where task_instance_id in (select task_instance_id from task_attempt where attempt_id = any (ids))
  order by task_instance_id for update;
  select * into done from finish_attempts((select jsonb_agg(o || '{"waits": true}') from jsonb_array_elements(p_outcomes) o), false);
  attempts := done.attempts;
  queued := done.queued;
  closed := done.closed;
  events := done.events;
end
$function$;
CREATE OR REPLACE FUNCTION public.fire_deadlines(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  one record;
  n integer := 0;
begin
  for one in
    with due as (
      select ctid from deadline where fired_at is null and due_at <= now() order by due_at limit p_limit for no key update skip locked
    )
    update deadline d set fired_at = now() from due where d.ctid = due.ctid
    returning d.*
  loop
    n := n + 1;
    perform notify_event('deadlineMissed', r.version_id, format('%s/%s', r.id, coalesce(t.id::text, 'run')),
      array(select jsonb_array_elements_text(coalesce(t.deadline, v.deadline) -> 'notify')), run_payload(r) || jsonb_build_object(
        'due_at', one.due_at) || case when t.id is null then '{}' else jsonb_build_object('task_id', t.task_id, 'map_index', t.map_index,
        'state', t.state, 'try_number', t.try_number) end)
    from dag_run r
    join dag_version v on v.id = r.version_id
    left join task_instance t on t.id = one.task_instance_id
    where r.id = one.dag_run_id;
  end loop;
  return n;
end
$function$;
CREATE OR REPLACE FUNCTION public.fold_maps(p_run bigint, p_ids bigint[])
 RETURNS void
 LANGUAGE sql
AS $function$
  with recursive whole as (
    select t.task_index, d.map_over_index, bool_or(e.per_item) as follows
    from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index and d.map_over_index is not null
    join task_edge e on e.version_id = d.version_id and e.downstream_index = d.task_index and e.upstream_index = d.map_over_index
    where t.dag_run_id = p_run and t.map_index >= 0
    group by t.task_index, d.map_over_index having bool_and(t.id = any (p_ids))
  ), folded as (
    select w.task_index from whole w
    join task_instance u on u.dag_run_id = p_run and u.task_index = w.map_over_index and u.id = any (p_ids) and not w.follows
    union
    select w.task_index from folded f join whole w on w.map_over_index = f.task_index and w.follows
  ), item as (
    delete from map_item i using task_instance t, folded f
    where i.task_instance_id = t.id and t.dag_run_id = p_run and t.task_index = f.task_index
  ), extra as (
    select t.id, row_number() over (order by t.id) as position
    from task_instance t join folded f using (task_index) where t.dag_run_id = p_run and t.map_index > 0
  ), moved as (
    update task_instance t set state = 'removed', ended_at = now(), task_index = l.lowest - e.position
    from extra e, (select least(min(task_index), 0) as lowest from task_instance where dag_run_id = p_run) l
    where t.id = e.id
    returning t.id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, p_run, 'none', 'removed', 'the map is done again' from moved
  )
  update task_instance t set map_index = -1, expands = true from folded f
  where t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index = 0
$function$;
CREATE OR REPLACE FUNCTION public.following_maps(p_run bigint, p_version bigint, p_index integer)
 RETURNS integer[]
 LANGUAGE sql
 STABLE
AS $function$
  with recursive following as (
    select e.downstream_index as task_index from task_edge e
    join task_instance t on t.dag_run_id = p_run and t.task_index = e.downstream_index and t.state = 'none' and t.expands
    where e.version_id = p_version and e.upstream_index = p_index and e.per_item
    union
    select e.downstream_index from following f
    join task_edge e on e.version_id = p_version and e.upstream_index = f.task_index and e.per_item
    join task_instance t on t.dag_run_id = p_run and t.task_index = e.downstream_index and t.state = 'none' and t.expands
  )
  select coalesce(array_agg(task_index), '{}') from following
$function$;
CREATE OR REPLACE FUNCTION public.gathered_values(t task_instance, def task_def)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(jsonb_object_agg(task_id, body), '{}') from (
    select u.task_id, jsonb_build_object('mapped', ud.map_over_index is not null, 'ended', jsonb_agg(
      jsonb_build_object('state', u.state, 'value', coalesce(x.value, b.value)) order by u.map_index) filter (
        where ud.map_over_index is null or u.map_index >= 0)) as body
    from task_instance u
    join task_def ud on ud.version_id = u.version_id and ud.task_index = u.task_index
    left join xcom x on x.task_instance_id = u.id
    left join xcom_blob b on b.hash = x.blob_hash
    where u.dag_run_id = t.dag_run_id and u.task_index = any (def.value_indexes)
    group by u.task_id, ud.map_over_index
  ) upstream
$function$;
CREATE OR REPLACE FUNCTION public.history_from(p_keep interval)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  select case when bool_and(keep is not null) then now() - greatest(max(keep), p_keep) end
  from (select keep from run_retention(p_keep) union all select p_keep) k
$function$;
CREATE OR REPLACE FUNCTION public.infra_delay(failures integer)
 RETURNS interval
 LANGUAGE plpgsql
AS $function$
begin
  return make_interval(secs => least(60, power(2, least(failures, 6))) * (0.5 + random() / 2));
end
$function$;
CREATE OR REPLACE FUNCTION public.infra_limit()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$select 10$function$;
CREATE OR REPLACE FUNCTION public.inline_limit()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$select 65536$function$;
CREATE OR REPLACE FUNCTION public.input_limit()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$select 67108864::bigint$function$;
CREATE OR REPLACE FUNCTION public.is_ended(p_state text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select p_state in ('success', 'failed', 'skipped', 'upstream_failed', 'removed')
$function$;
CREATE OR REPLACE FUNCTION public.item_limit()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$select 1048576$function$;
CREATE OR REPLACE FUNCTION public.item_of(t task_instance, def task_def)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce((select i.value from map_item i where i.task_instance_id = t.id), (
    select coalesce(x.value, b.value) from task_instance u
    join xcom x on x.task_instance_id = u.id
    left join xcom_blob b on b.hash = x.blob_hash
    where u.dag_run_id = t.dag_run_id and u.task_index = def.map_over_index and u.map_index = t.map_index))
$function$;
CREATE OR REPLACE FUNCTION public.keep_values(p_outcomes jsonb, p_attempts uuid[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  ids bigint[];
  vals jsonb[];
  largest integer;
begin
  select array_agg(a.task_instance_id), array_agg(o -> 'value'), max(octet_length(o ->> 'value')) into ids, vals, largest
  from jsonb_array_elements(p_outcomes) o
  join task_attempt a on a.attempt_id = (o ->> 'attemptId')::uuid and a.attempt_id = any (p_attempts) and a.state = 'success'
  where o -> 'value' <> 'null';
  if largest > inline_limit() then
    insert into xcom_blob (hash, value)
    select distinct on (1) sha256(convert_to(v::text, 'UTF8')), v from unnest(vals) v where octet_length(v::text) > inline_limit()
    order by 1
    -- Locks the row until the value that uses it is committed: what is removed for want of use is not this one.
    on conflict (hash) do update set used_at = now(); -- guard: value-blob-once
  end if;
  insert into xcom (task_instance_id, value, blob_hash, size)
  select r.id, case when octet_length(r.value::text) <= inline_limit() then r.value end,
    case when octet_length(r.value::text) > inline_limit() then sha256(convert_to(r.value::text, 'UTF8')) end, octet_length(r.value::text)
  from unnest(ids, vals) r (id, value)
  on conflict (task_instance_id) do update set value = excluded.value, blob_hash = excluded.blob_hash, size = excluded.size, at = now();
end
$function$;
CREATE OR REPLACE FUNCTION public.lease_waits(p_limit integer, p_share integer, p_busy jsonb, p_seconds integer)
 RETURNS jsonb
 LANGUAGE sql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
  with due as (
    select task_instance_id, resource, wake_at from task_wait
    where wake_at <= now() and coalesce((p_busy ->> resource)::integer, 0) < p_share
    order by wake_at limit p_limit for update skip locked -- guard: wait-share
  ), ranked as (
    select task_instance_id, wake_at, resource, row_number() over (partition by resource order by wake_at)
      + coalesce((p_busy ->> resource)::integer, 0) as place
    from due
  ), chosen as (
    select task_instance_id from ranked where resource is null or place <= p_share order by wake_at limit p_limit
  ), leased as (
    update task_wait w set lease = gen_random_uuid(), wake_at = now() + make_interval(secs => p_seconds)
    from chosen c where w.task_instance_id = c.task_instance_id
    returning w.*
  )
  select coalesce(jsonb_agg(jsonb_build_object('taskInstanceId', t.id, 'attemptId', a.attempt_id, 'token', a.token, 'lease', w.lease,
    'kind', w.kind, 'condition', w.condition, 'key', w.key, 'resource', w.resource, 'polls', w.polls, 'note', w.note,
    'logLines', w.log_lines, 'late', w.deadline <= now(), 'at', now(), 'waitedMs', extract(epoch from now() - a.started_at) * 1000,
    'timeoutMs', d.timeout_ms, 'sensor', d.sensor, 'emits', d.emits, 'given', case when w.condition is null then jsonb_build_object(
      'config', d.operator -> 'config', 'params', r.params, 'dagId', t.dag_id, 'runId', r.run_id, 'taskId', t.task_id,
      'mapIndex', t.map_index, 'logicalDate', r.logical_date, 'intervalStart', r.interval_start, 'intervalEnd', r.interval_end, 'partition', r.partition,
      'runCreatedAt', r.queued_at,
      'upstream', case when d.value_indexes = '{}' then '{}' else upstream_values(t, d) end) end)), '[]')
  from leased w
  join task_instance t on t.id = w.task_instance_id
  join task_attempt a on a.attempt_id = w.attempt_id
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join dag_run r on r.id = t.dag_run_id
$function$;
CREATE OR REPLACE FUNCTION public.legal_move(from_state text, to_state text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  return from_state || '>' || to_state = any (array[
    'none>scheduled', 'none>queued', 'none>skipped', 'none>upstream_failed', 'none>failed', 'none>success', 'none>removed',
    'scheduled>queued', 'scheduled>skipped', 'scheduled>failed',
    'queued>running', 'queued>skipped', 'queued>failed', 'queued>deferred',
    'running>success', 'running>failed', 'running>skipped', 'running>up_for_retry', 'running>queued',
    'running>up_for_reschedule', 'up_for_reschedule>queued', 'up_for_reschedule>skipped', 'up_for_reschedule>failed',
    'deferred>success', 'deferred>failed', 'deferred>skipped',
    'up_for_retry>queued', 'up_for_retry>skipped',
    'success>none', 'failed>none', 'skipped>none', 'upstream_failed>none', 'removed>none']);
end
$function$;
CREATE OR REPLACE FUNCTION public.lock_run(p_run bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  perform from dag where dag_id = (select dag_id from dag_run where id = p_run) for no key update;
  perform from dag_run where id = p_run for no key update;
end
$function$;
CREATE OR REPLACE FUNCTION public.map_limit()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$select 100000$function$;
CREATE OR REPLACE FUNCTION public.map_problem(items jsonb, OUT state text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
declare
  large integer;
begin
  if items is null then
    state := 'upstream_failed';
    reason := 'what it maps over has no value';
  elsif jsonb_typeof(items) <> 'array' then
    state := 'failed';
    reason := 'what it maps over is not an array';
  elsif jsonb_array_length(items) = 0 then
    state := 'skipped';
    reason := 'nothing to map over';
  elsif jsonb_array_length(items) > map_limit() then
    state := 'failed';
    reason := format('what it maps over has %s items: more than %s', jsonb_array_length(items), map_limit());
  else
    select i into large from jsonb_array_elements(items) with ordinality item (value, i)
    where octet_length(value::text) > item_limit() limit 1;
    if large is not null then
      state := 'failed';
      reason := format('item %s of what it maps over is larger than %s bytes', large - 1, item_limit());
    end if;
  end if;
end
$function$;
CREATE OR REPLACE FUNCTION public.map_window(max_active integer, max_active_tasks integer)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select least(1024, at_once) + least(256, at_once) from (select least(max_active, max_active_tasks) as at_once) l
$function$;
CREATE OR REPLACE FUNCTION public.mapped_over(p_id bigint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(x.value, b.value, 'null')
  from task_instance t
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = d.map_over_index and u.map_index < 0 and u.state = 'success'
  left join xcom x on x.task_instance_id = u.id
  left join xcom_blob b on b.hash = x.blob_hash
  where t.id = p_id
$function$;
CREATE OR REPLACE FUNCTION public.mark_instances(p_run bigint, p_ids bigint[], p_state text, p_reason text)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  fenced integer;
  again bigint[];
begin
  perform lock_run(p_run);
  fenced := withdraw_instances(p_run, p_ids, p_reason);
  with moved as (
    update task_instance set state = p_state, reason = p_reason, ended_at = now()
    where id = any (p_ids) and dag_run_id = p_run and state = 'none'
    returning id
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, p_run, 'none', p_state, p_reason from moved;
  with recursive down as (
    select version_id, task_index from task_instance where id = any (p_ids)
    union
    select d.version_id, e.downstream_index from down d
    join task_edge e on e.version_id = d.version_id and e.upstream_index = d.task_index
  )
  select coalesce(array_agg(t.id), '{}') into again from task_instance t
  where t.dag_run_id = p_run and t.id <> all (p_ids) and t.state in ('failed', 'upstream_failed')
    and t.task_index in (select task_index from down);
  perform withdraw_instances(p_run, again, 'decided again');
  perform resume_run(p_run);
  return fenced;
end
$function$;
CREATE OR REPLACE FUNCTION public.mark_run(p_run bigint, p_state text)
 RETURNS void
 LANGUAGE sql
AS $function$
  update dag_run set state = p_state where id = p_run and state in ('success', 'failed')
$function$;
CREATE OR REPLACE FUNCTION public.next_log_line(p_attempt uuid)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  return (select coalesce(max(l.first_line + l.line_count), 1) from log_chunk l where l.attempt_id = p_attempt);
end
$function$;
CREATE OR REPLACE FUNCTION public.note_turn(p_lane text, p_pool text, p_queue text, p_dag text, p_last text)
 RETURNS void
 LANGUAGE sql
AS $function$
  insert into claim_turn (lane, pool, queue, dag_id, last, served_at) values (p_lane, p_pool, p_queue, p_dag, p_last, clock_timestamp())
  on conflict (lane, pool, queue, dag_id) do update set last = excluded.last, served_at = excluded.served_at
$function$;
CREATE OR REPLACE FUNCTION public.notify_event(p_event text, p_version bigint, p_key text, p_channels text[], p_payload jsonb)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  insert into notification (key, event, channel, dag_id, payload)
  select p_event || '/' || p_key || '/' || c.channel, p_event, c.channel, p_payload ->> 'dag_id',
    jsonb_build_object('event', p_event, 'at', now()) || p_payload
  from (
    select channel from notify_rule where version_id = p_version and event = p_event union select unnest(p_channels)
  ) c
  on conflict (key) do nothing; -- guard: notification-once
  if found then
    perform pg_notify('qflow_scheduler', '');
  end if;
end
$function$;
CREATE OR REPLACE FUNCTION public.old_partitions(p_keep interval)
 RETURNS TABLE(name text)
 LANGUAGE sql
 STABLE
AS $function$
  select p.name from (
    select c.oid::regclass::text as name, (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC' as ends
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('task_event'::regclass, 'log_chunk'::regclass) and c.relname ~ '_\d{4}_\d{2}$') p
  where p.ends < history_from(p_keep) and not exists (select from dag_run where queued_at < p.ends)
  order by p.ends, p.name
$function$;
CREATE OR REPLACE FUNCTION public.open_sources(p_lanes text[], p_queues text[])
 RETURNS TABLE(lane text, pool text, queue text, free integer, best bigint)
 LANGUAGE sql
 STABLE
AS $function$
  with recursive source as (
    (select t.lane, t.pool, t.queue from task_instance t where t.state = 'queued' order by t.lane, t.pool, t.queue limit 1)
    union all
    select n.lane, n.pool, n.queue from source s cross join lateral (
      select t.lane, t.pool, t.queue from task_instance t
      where t.state = 'queued' and (t.lane, t.pool, t.queue) > (s.lane, s.pool, s.queue) order by t.lane, t.pool, t.queue limit 1) n
  )
  select s.lane, s.pool, s.queue, u.free, (
    select t.rank from task_instance t where t.state = 'queued' and t.lane = s.lane and t.pool = s.pool and t.queue = s.queue
    order by t.rank limit 1)
  from source s
  join pool p on p.name = s.pool
  cross join lateral (
    select p.slots - coalesce(sum(t.pool_slots), 0)::integer as free -- guard: pool-room
    from task_instance t where t.state = 'running' and t.pool = s.pool) u
  left join claim_turn c on c.lane = s.lane and c.pool = s.pool and c.queue = s.queue and c.dag_id = ''
  where s.lane = any (p_lanes) and s.queue = any (p_queues) and u.free > 0
  order by c.served_at nulls first, s.lane, s.pool, s.queue
$function$;
CREATE OR REPLACE FUNCTION public.pick_of_dag(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_quota integer, INOUT slots integer, INOUT picked bigint[], OUT more boolean)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  quota integer := p_quota;
  runs bigint[];
  at bigint;
  first bigint;
  served bigint;
  run bigint;
  n integer;
  got record;
begin
  more := false;
  runs := waiting_runs(p_lane, p_pool, p_queue, p_rank, p_dag, 0, 2);
  if cardinality(runs) = 1 then
    select g.slots, g.picked, g.more into slots, picked, more
    from pick_of_run(p_lane, p_pool, p_queue, p_rank, p_dag, runs[1], p_quota, slots, picked) g;
    return;
  end if;
  at := coalesce((select last::bigint from claim_turn where lane = p_lane and pool = p_pool and queue = p_queue and dag_id = p_dag), 0);
  <<around>>
  loop
    n := quota + 1;
    runs := waiting_runs(p_lane, p_pool, p_queue, p_rank, p_dag, at, n);
    foreach run in array runs loop
      exit around when run = first or quota = 0 or slots <= 0;
      first := coalesce(first, run);
      at := run;
      got := pick_of_run(p_lane, p_pool, p_queue, p_rank, p_dag, run,
        least(quota, (p_quota + cardinality(runs) - 1) / cardinality(runs)), slots, picked);
      if cardinality(got.picked) > cardinality(picked) then
        served := run;
      end if;
      quota := quota - cardinality(got.picked) + cardinality(picked);
      slots := got.slots;
      picked := got.picked;
      more := more or got.more;
    end loop;
    exit around when quota = 0 or cardinality(runs) < n;
  end loop;
  if served is not null then
    perform note_turn(p_lane, p_pool, p_queue, p_dag, served::text);
  end if;
end
$function$;
CREATE OR REPLACE FUNCTION public.pick_of_rank(p_rank bigint, p_lanes text[], p_pools text[], p_queues text[], p_best bigint[], INOUT functions integer, INOUT operators integer, INOUT free integer[], INOUT picked bigint[])
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  contenders integer := (select count(*) from unnest(p_best) b where b = p_rank);
  room integer;
  again boolean := true;
  got record;
begin
  while again loop
    again := false;
    for i in 1 .. cardinality(p_pools) loop
      room := case p_lanes[i] when 'function' then functions else operators end;
      continue when p_best[i] is distinct from p_rank or free[i] <= 0 or room <= 0;
      got := pick_of_source(p_lanes[i], p_pools[i], p_queues[i], p_rank, (room + contenders - 1) / contenders,
        contenders > 1, free[i], picked);
      again := again or got.more;
      room := cardinality(got.picked) - cardinality(picked);
      functions := functions - case p_lanes[i] when 'function' then room else 0 end;
      operators := operators - case p_lanes[i] when 'function' then 0 else room end;
      picked := got.picked;
      for j in 1 .. cardinality(p_pools) loop
        free[j] := case p_pools[j] when p_pools[i] then got.slots else free[j] end;
      end loop;
    end loop;
  end loop;
end
$function$;
CREATE OR REPLACE FUNCTION public.pick_of_run(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_run bigint, p_quota integer, INOUT slots integer, INOUT picked bigint[], OUT more boolean)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  room integer;
  quota integer := p_quota;
  head task_instance;
  stretch record;
  n integer;
  ids bigint[];
begin
  select v.max_active_tasks - (select count(*) from task_instance t where t.state = 'running' and t.dag_run_id = p_run) -- guard: run-room
  into room from dag_run r join dag_version v on v.id = r.version_id where r.id = p_run;
  if room < quota + cardinality(picked) then
    room := room - (select count(*) from task_instance t where t.id = any (picked) and t.dag_run_id = p_run);
  end if;
  head.task_index := -1;
  while quota > 0 and room > 0 and slots > 0 loop
    stretch := pick_stretch(p_lane, p_pool, p_queue, p_rank, p_dag, p_run, head.task_index, least(quota, room), slots,
      picked);
    n := cardinality(stretch.ids);
    quota := quota - n;
    room := room - n;
    slots := slots - stretch.used;
    picked := picked || stretch.ids;
    exit when stretch.ended or quota = 0 or room = 0 or slots = 0;
    -- The next task has a limit of its own, or takes too many slots: it is passed over as a whole where it may not start.
    select * into head from task_instance t
    where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
      and t.dag_run_id = p_run and t.task_index > coalesce(stretch.last, head.task_index)
    order by t.task_index, t.id limit 1;
    exit when not found;
    n := least(quota, room, slots / head.pool_slots, task_room(head, picked));
    continue when n <= 0;
    ids := array(select t.id from task_instance t
      where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
        and t.dag_run_id = p_run and t.task_index = head.task_index and t.id <> all (picked)
      order by t.id limit n for no key update skip locked);
    n := cardinality(ids);
    quota := quota - n;
    room := room - n;
    slots := slots - n * head.pool_slots;
    picked := picked || ids;
  end loop;
  more := quota = 0;
end
$function$;
CREATE OR REPLACE FUNCTION public.pick_of_source(p_lane text, p_pool text, p_queue text, p_rank bigint, p_quota integer, p_contended boolean, INOUT slots integer, INOUT picked bigint[], OUT more boolean)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  quota integer := p_quota;
  dags text[];
  at text;
  first text;
  served text;
  dag text;
  n integer;
  got record;
begin
  more := false;
  dags := waiting_dags(p_lane, p_pool, p_queue, p_rank, '', 2);
  if cardinality(dags) = 1 and not p_contended then
    select g.slots, g.picked, g.more into slots, picked, more
    from pick_of_dag(p_lane, p_pool, p_queue, p_rank, dags[1], p_quota, slots, picked) g;
    return;
  end if;
  at := coalesce((select last from claim_turn where lane = p_lane and pool = p_pool and queue = p_queue and dag_id = ''), '');
  <<around>>
  loop
    n := quota + 1;
    dags := waiting_dags(p_lane, p_pool, p_queue, p_rank, at, n);
    foreach dag in array dags loop
      exit around when dag = first or quota = 0 or slots <= 0;
      first := coalesce(first, dag);
      at := dag;
      got := pick_of_dag(p_lane, p_pool, p_queue, p_rank, dag,
        least(quota, (p_quota + cardinality(dags) - 1) / cardinality(dags)), slots, picked);
      if cardinality(got.picked) > cardinality(picked) then
        served := dag;
      end if;
      quota := quota - cardinality(got.picked) + cardinality(picked);
      slots := got.slots;
      picked := got.picked;
      more := more or got.more;
    end loop;
    exit around when quota = 0 or cardinality(dags) < n;
  end loop;
  if served is not null then
    perform note_turn(p_lane, p_pool, p_queue, '', served);
  end if;
end
$function$;
CREATE OR REPLACE FUNCTION public.pick_stretch(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_run bigint, p_after integer, p_limit integer, p_slots integer, p_picked bigint[], OUT ids bigint[], OUT used integer, OUT last integer, OUT ended boolean)
 RETURNS record
 LANGUAGE sql
AS $function$
  select coalesce(array_agg(id order by n) filter (where fits), '{}'), coalesce(sum(pool_slots) filter (where fits), 0)::integer,
    max(task_index) filter (where fits), count(*) < p_limit and coalesce(bool_and(fits), true)
  from (
    select w.id, w.task_index, w.pool_slots, row_number() over first_to_this as n,
      bool_and(w.max_active is null and w.concurrency_key is null) over first_to_this
        and sum(w.pool_slots) over first_to_this <= p_slots as fits
    from (
      select t.id, t.task_index, t.pool_slots, t.max_active, t.concurrency_key from task_instance t
      where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
        and t.dag_run_id = p_run and t.task_index > p_after and t.id <> all (p_picked)
      order by t.task_index, t.id limit p_limit for no key update skip locked) w
    window first_to_this as (order by w.task_index, w.id rows unbounded preceding)
  ) waiting
$function$;
CREATE OR REPLACE FUNCTION public.poke_delay(def task_def, polls integer)
 RETURNS interval
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
begin
  return make_interval(secs => least((def.sensor ->> 'maxMs')::double precision, (def.sensor ->> 'everyMs')::double precision
    * power((def.sensor ->> 'factor')::double precision, least(polls, 60) - 1)) / 1000.0);
end
$function$;
CREATE OR REPLACE FUNCTION public.previous_handle(p_instance bigint, p_try integer)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  return (
    select p.handle from task_attempt p where p.task_instance_id = p_instance and p.handle is not null and p.try_number < p_try
    order by p.try_number desc limit 1);
end
$function$;
CREATE OR REPLACE FUNCTION public.propagate(p_ended bigint[], p_undecided bigint[], OUT queued integer, OUT closed integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  fresh bigint[] := p_ended;
  undecided bigint[] := p_undecided;
  every_end bigint[] := p_ended;
  items bigint[] := '{}';
  step record;
  one bigint;
  mapped record;
begin
  queued := 0;
  while fresh <> '{}' or undecided <> '{}' loop
    step := count_down(fresh, undecided);
    undecided := '{}';
    fresh := step.ended;
    queued := queued + step.queued;
    items := items || step.items;
    foreach one in array step.expand loop
      mapped := expand_map(one);
      fresh := fresh || mapped.ended;
      queued := queued + mapped.queued;
    end loop;
    every_end := every_end || fresh;
  end loop;
  if items <> '{}' then
    queued := queued + activate_items(items);
  end if;
  with gone as (
    select dag_run_id, count(*)::integer as n from task_instance where id = any (every_end) group by dag_run_id
  ), counted as (
    update dag_run r set unfinished = r.unfinished - g.n,
      state = case when r.unfinished > g.n then r.state when r.cancel_requested_at is not null then 'failed' else final_state(r.id) end,
      ended_at = case when r.unfinished = g.n then now() end
    from gone g
    where r.id = g.dag_run_id
    returning r.unfinished
  )
  select count(*) filter (where unfinished = 0) into closed from counted;
end
$function$;
CREATE OR REPLACE FUNCTION public.prune_runs(p_keep interval, p_instances integer, OUT runs integer, OUT instances integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  candidates bigint[];
  chosen bigint[];
  short_lived bigint[];
  gone bigint[];
  horizon timestamptz := history_from(p_keep);
begin
  candidates := array(
    select r.id from dag_run r where r.id = any (array(
      select c.id from run_retention(p_keep) k cross join lateral (
        select id from dag_run where dag_id = k.dag_id and ended_at < now() - k.keep order by ended_at limit 100) c
      where k.keep is not null limit 500))
      and r.state in ('success', 'failed') and r.ended_at is not null
    order by r.id for update skip locked);
  -- In a statement after the one that locked: what is running again is not there any more.
  chosen := array(
    select id from (
      select id, sum(n) over (order by id) - n as before from (
        select r.id, count(t.id) as n from dag_run r left join task_instance t on t.dag_run_id = r.id
        where r.id = any (candidates) group by r.id) counted) summed
    where before < p_instances);
  short_lived := array(
    select r.id from dag_run r join run_retention(p_keep) k using (dag_id)
    where r.id = any (chosen) and (horizon is null or now() - k.keep > horizon + interval '31 days'));
  gone := array(select id from task_instance where dag_run_id = any (chosen));
  if short_lived <> '{}' then
    delete from log_chunk where attempt_id in (select a.attempt_id from task_attempt a join task_instance t on t.id = a.task_instance_id
      where t.dag_run_id = any (short_lived));
    delete from task_event where dag_run_id = any (short_lived);
  end if;
  delete from xcom where task_instance_id = any (gone);
  delete from map_item where task_instance_id = any (gone);
  delete from task_attempt where task_instance_id = any (gone);
  delete from dag_run_event where dag_run_id = any (chosen);
  delete from task_instance where id = any (gone);
  delete from dag_run where id = any (chosen);
  runs := cardinality(chosen);
  instances := cardinality(gone);
end
$function$;
CREATE OR REPLACE FUNCTION public.queue_pokes(p_limit integer)
 RETURNS integer
 LANGUAGE sql
AS $function$
  with due as (
    select t.id from task_instance t join task_attempt a on a.attempt_id = t.attempt_id
    where t.state = 'up_for_reschedule' and t.wake_at <= now() and a.deadline_at > now()
    order by t.wake_at limit p_limit for no key update of t skip locked
  ), moved as (
    update task_instance t set state = 'queued', queued_at = now(), wake_at = null from due d where t.id = d.id
    returning t.id, t.dag_run_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'up_for_reschedule', 'queued' from moved
  )
  select count(*)::integer from moved
$function$;
CREATE OR REPLACE FUNCTION public.rearm_waits(p_waits jsonb)
 RETURNS integer
 LANGUAGE sql
AS $function$
  with given as (
    select w.* from jsonb_to_recordset(p_waits) w ("taskInstanceId" bigint, lease uuid, condition jsonb, key text, resource text,
      "wakeInMs" double precision, "wakeAt" timestamptz, note text, "logLines" integer, checked boolean)
  ), armed as (
    update task_wait w set condition = g.condition, key = g.key, resource = g.resource, note = g.note, log_lines = g."logLines", lease = null,
      polls = w.polls + g.checked::integer, wake_at = least(w.deadline, g."wakeAt", now() + make_interval(secs => g."wakeInMs" / 1000.0))
    from given g
    where w.task_instance_id = g."taskInstanceId" and w.lease = g.lease -- guard: wait-lease
    returning 1
  )
  select count(*)::integer from armed
$function$;
CREATE OR REPLACE FUNCTION public.rebind_run(p_run bigint, p_version bigint, p_params jsonb)
 RETURNS bigint[]
 LANGUAGE plpgsql
AS $function$
declare
  gone bigint[];
  reshaped bigint[];
begin
  update dag_run r set version_id = p_version, params = p_params where id = p_run;
  update dag_run r set concurrency_key = concurrency_key(v.concurrency, r), concurrency_limit = (v.concurrency ->> 'limit')::integer
  from dag_version v where r.id = p_run and v.id = p_version;
  -- Out of the way first: places in the graph are unique at every moment, and removed ones have none.
  update task_instance t set task_index = l.lowest - n.position
  from (select id, row_number() over (order by id) as position from task_instance where dag_run_id = p_run) n,
    (select least(min(task_index), 0) as lowest from task_instance where dag_run_id = p_run) l
  where t.id = n.id;
  select coalesce(array_agg(t.id), '{}') into gone from task_instance t
  left join task_def d on d.version_id = p_version and d.task_id = t.task_id
  where t.dag_run_id = p_run and (d.task_id is null or t.map_index > 0 and (d.map_over_index is null or t.state = 'removed'));
  select coalesce(array_agg(t.id), '{}') into reshaped from task_instance t
  join task_def d on d.version_id = p_version and d.task_id = t.task_id
  where t.dag_run_id = p_run and t.id <> all (gone)
    and (t.state = 'removed' or (d.map_over_index is null) <> (t.map_index < 0) and not t.expands);
  perform withdraw_instances(p_run, reshaped || array(select id from task_instance where id = any (gone) and state <> 'removed'),
    'bound to another version');
  with moved as (
    update task_instance set state = 'removed', ended_at = now(), reason = 'the version has no such task'
    where id = any (gone) and state = 'none' returning id, reason
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason) select id, p_run, 'none', 'removed', reason from moved;
  delete from map_item i using task_instance t where i.task_instance_id = t.id and t.id = any (reshaped);
  update task_instance t set version_id = p_version, task_index = d.task_index, rule = d.rule, lane = d.lane, pool = d.pool,
    pool_slots = d.pool_slots, priority = d.priority, max_active = d.max_active, queue = d.queue,
    concurrency_key = concurrency_key(d.concurrency, (select r from dag_run r where r.id = p_run)),
    concurrency_limit = (d.concurrency ->> 'limit')::integer, queue_timeout = d.queue_timeout,
    deadline = d.deadline, map_index = case when d.map_over_index is null or t.id = any (reshaped) then -1 else t.map_index end,
    expands = d.map_over_index is not null and (t.map_index < 0 or t.id = any (reshaped))
  from task_def d, dag_run r
  where r.id = p_run and d.version_id = p_version and d.task_id = t.task_id and t.dag_run_id = p_run and t.id <> all (gone);
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, rule, expands, up_total, deadline, lane, pool, pool_slots,
    priority, max_active, queue, backfill, concurrency_key, concurrency_limit, queue_timeout)
  select p_run, p_version, r.dag_id, d.task_id, d.task_index, d.rule, d.map_over_index is not null, d.upstream_count, d.deadline, d.lane, d.pool,
    d.pool_slots, d.priority, d.max_active, d.queue, r.backfill_id is not null, concurrency_key(d.concurrency, r),
    (d.concurrency ->> 'limit')::integer, d.queue_timeout
  from task_def d join dag_run r on r.id = p_run
  where d.version_id = p_version and not exists (
    select from task_instance t where t.dag_run_id = p_run and t.version_id = p_version and t.task_id = d.task_id)
  order by d.task_index;
  return reshaped;
end
$function$;
CREATE OR REPLACE FUNCTION public.record_events(p_outcomes jsonb, p_attempts uuid[])
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  n integer;
begin
  if not p_outcomes @? '$[*].events[*]' then
    return 0;
  end if;
  perform pg_advisory_xact_lock(dataset_lock()); -- guard: event-order
  insert into dataset_event (dataset, key, extra, partition, task_instance_id, attempt_id)
  select e.event ->> 'dataset', coalesce(e.event ->> 'key', a.attempt_id || '/' || e.position), coalesce(e.event -> 'extra', 'null'),
    -- What a run of one partition writes is of that partition.
    coalesce(e.event ->> 'partition', r.partition), a.task_instance_id, a.attempt_id
  from jsonb_array_elements(p_outcomes) with ordinality o (outcome, position)
  join task_attempt a on a.attempt_id = (o.outcome ->> 'attemptId')::uuid and a.attempt_id = any (p_attempts) and a.state = 'success'
  join dag_run r on r.id = a.dag_run_id
  cross join lateral jsonb_array_elements(o.outcome -> 'events') with ordinality e (event, position)
  order by o.position, e.position
  on conflict (dataset, key) do nothing; -- guard: event-once
  get diagnostics n = row_count;
  return n;
end
$function$;
CREATE OR REPLACE FUNCTION public.recount_run(p_run bigint)
 RETURNS void
 LANGUAGE sql
AS $function$
  update task_instance t set up_total = c.total, up_success = c.success, up_failed = c.failed, up_skipped = c.skipped,
    up_upstream_failed = c.upstream_failed, gates_open = c.gates
  from (
    select w.id, count(u.id)::integer as total, (count(*) filter (where u.state = 'success'))::integer as success,
      (count(*) filter (where u.state = 'failed'))::integer as failed, (count(*) filter (where u.state = 'skipped'))::integer as skipped,
      (count(*) filter (where u.state = 'upstream_failed'))::integer as upstream_failed,
      (select count(*)::integer from task_gate g
       join task_instance u on u.dag_run_id = w.dag_run_id and u.task_index = g.gate_index and (not g.per_item or u.map_index = w.map_index)
       where g.version_id = w.version_id and g.task_index = w.task_index and not is_ended(u.state)) as gates
    from task_instance w
    left join task_edge e on e.version_id = w.version_id and e.downstream_index = w.task_index
    left join task_instance u on u.dag_run_id = w.dag_run_id and u.task_index = e.upstream_index
      and (not e.per_item or u.map_index = w.map_index)
    where w.dag_run_id = p_run and w.state = 'none'
    group by w.id
  ) c
  where t.id = c.id
$function$;
CREATE OR REPLACE FUNCTION public.refuse_move()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception 'task instance % cannot go from % to %', new.id, case tg_op when 'UPDATE' then old.state end, new.state
    using errcode = 'QF001';
end
$function$;
CREATE OR REPLACE FUNCTION public.refuse_unended(p_run bigint, p_ids bigint[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  busy task_instance;
begin
  perform from task_instance where id = any (p_ids) and dag_run_id = p_run order by id for no key update;
  select * into busy from task_instance where id = any (p_ids) and dag_run_id = p_run and not is_ended(state) order by id limit 1;
  if busy.id is not null then -- guard: clear-unended
    raise exception 'task % has not ended: it is %', busy.task_id || case when busy.map_index >= 0 then '[' || busy.map_index || ']' else '' end,
      busy.state using errcode = 'QF002';
  end if;
end
$function$;
CREATE OR REPLACE FUNCTION public.resume_run(p_run bigint)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  run dag_run;
begin
  perform recount_run(p_run);
  update dag_run set unfinished = (select count(*) from task_instance where dag_run_id = p_run and not is_ended(state))
  where id = p_run returning * into run;
  if run.unfinished = 0 then
    update dag_run set state = case when cancel_requested_at is null then final_state(id) else 'failed' end,
      started_at = coalesce(started_at, now()), ended_at = now()
    where id = p_run;
  elsif run.state = 'running' then
    perform settle_run(p_run);
  else
    update dag_run set state = 'queued', ended_at = null, cancel_requested_at = null, reason = null where id = p_run;
    perform start_runs(run.dag_id);
  end if;
end
$function$;
CREATE OR REPLACE FUNCTION public.retry_delay(def task_def, failures integer)
 RETURNS interval
 LANGUAGE plpgsql
AS $function$
begin
  return make_interval(secs => least(def.retry_max_ms, def.retry_delay_ms * power(def.retry_factor, least(failures, 60) - 1))
    / 1000.0 * case def.retry_jitter when 'full' then random() else 1 end);
end
$function$;
CREATE OR REPLACE FUNCTION public.revoke_instances(p_run bigint, p_ids bigint[])
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  n integer;
begin
  perform lock_run(p_run);
  perform from task_instance where id = any (p_ids) and dag_run_id = p_run order by id for no key update;
  update task_attempt a set revoked = 'cancelled' from task_instance t
  where t.id = any (p_ids) and t.dag_run_id = p_run and t.state = 'running' and a.attempt_id = t.attempt_id and a.state = 'running'
    and a.revoked is null;
  get diagnostics n = row_count;
  return n;
end
$function$;
CREATE OR REPLACE FUNCTION public.run_events(p_run bigint)
 RETURNS jsonb
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('dataset', e.dataset, 'at', e.at, 'extra', e.extra, 'partition', e.partition) order by e.id), '[]')
    from dag_run_event re join dataset_event e on e.id = re.event_id where re.dag_run_id = p_run);
end
$function$;
CREATE OR REPLACE FUNCTION public.run_fits_key(run dag_run)
 RETURNS boolean
 LANGUAGE sql
 STABLE
AS $function$
  select run.concurrency_key is null or run.concurrency_limit > (
    select count(*) from dag_run r where r.dag_id = run.dag_id and r.state = 'running' and r.concurrency_key = run.concurrency_key)
$function$;
CREATE OR REPLACE FUNCTION public.run_payload(run dag_run)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select jsonb_build_object('dag_id', run.dag_id, 'run_id', run.run_id, 'run_state', run.state, 'run_type', run.kind,
    'logical_date', run.logical_date, 'started_at', run.started_at, 'ended_at', run.ended_at, 'note', run.note)
$function$;
CREATE OR REPLACE FUNCTION public.run_retention(p_keep interval)
 RETURNS TABLE(dag_id text, keep interval)
 LANGUAGE sql
 STABLE
AS $function$
  select d.dag_id, case when v.spec ? 'retentionMs' then make_interval(secs => (v.spec ->> 'retentionMs')::double precision / 1000)
    else p_keep end
  from dag d left join dag_version v on v.id = d.version_id
$function$;
CREATE OR REPLACE FUNCTION public.scheduled_from(p_dag text)
 RETURNS timestamp with time zone
 LANGUAGE sql
 STABLE
AS $function$
  select coalesce(d.scheduled_until + interval '1 microsecond', (v.spec ->> 'start')::timestamptz, d.created_at)
  from dag d join dag_version v on v.id = d.version_id
  where d.dag_id = p_dag and d.active and d.catchup = 'all' and d.schedule ->> 'kind' in ('cron', 'cronInterval', 'every')
$function$;
CREATE OR REPLACE FUNCTION public.secrets_version()
 RETURNS bigint
 LANGUAGE sql
 STABLE
AS $function$
  select value::text::bigint from setting where key = 'secrets'
$function$;
CREATE OR REPLACE FUNCTION public.set_run_deadlines()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  insert into deadline (dag_run_id, due_at)
  select new.id, deadline_due(v.deadline, new, new.queued_at) from dag_version v
  where v.id = new.version_id and v.deadline is not null and deadline_due(v.deadline, new, new.queued_at) is not null
  on conflict do nothing;
  if tg_op = 'UPDATE' and exists (select from task_def where version_id = new.version_id and deadline ->> 'from' = 'runStart') then
    insert into deadline (dag_run_id, task_instance_id, due_at)
    select new.id, t.id, deadline_due(t.deadline, new, null) from task_instance t
    where t.dag_run_id = new.id and t.deadline ->> 'from' = 'runStart' and not is_ended(t.state)
    on conflict do nothing;
  end if;
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.set_start_clocks(p_run bigint, p_version bigint)
 RETURNS void
 LANGUAGE sql
AS $function$
  update task_instance t set start_by = now() + d.start_timeout from task_def d
  where d.version_id = p_version and d.start_timeout is not null and t.dag_run_id = p_run and t.task_index = d.task_index and t.state = 'none'
$function$;
CREATE OR REPLACE FUNCTION public.settle_run(p_run bigint)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  skipped bigint[] := skip_unchosen(array(select id from task_instance where dag_run_id = p_run and decision is not null));
begin
  perform set_start_clocks(id, version_id) from dag_run where id = p_run;
  return (propagate(skipped, array(select id from task_instance where dag_run_id = p_run and state = 'none'))).queued;
end
$function$;
CREATE OR REPLACE FUNCTION public.skip_unchosen(p_deciders bigint[])
 RETURNS bigint[]
 LANGUAGE sql
AS $function$
  with recursive decision as (
    select t.dag_run_id, t.version_id, t.task_index, t.decision <> 'false' as is_branch, t.decision as branch, d.branch_targets,
      -- An upstream has a lower index: beyond the last of its direct downstream nothing matters to a branch.
      (select max(e.downstream_index) from task_edge e
       where t.decision <> 'false' and e.version_id = t.version_id and e.upstream_index = t.task_index) as last
    from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    where t.id = any (p_deciders) and t.state = 'success' and t.decision is not null
  ), choice as (
    select b.*, e.downstream_index, b.is_branch and exists (
      select from jsonb_array_elements_text(case when b.is_branch then b.branch else '[]' end) c
      where coalesce(b.branch_targets ->> c, c) = d.task_id) as chosen
    from decision b
    join task_edge e on e.version_id = b.version_id and e.upstream_index = b.task_index
    join task_def d on d.version_id = e.version_id and d.task_index = e.downstream_index
  ), below as (
    -- What is reached from chosen tasks, and (short circuit) from every direct downstream.
    select dag_run_id, version_id, task_index as origin, downstream_index as task_index, is_branch, last
    from choice where chosen or not is_branch
    union
    select b.dag_run_id, b.version_id, b.origin, e.downstream_index, b.is_branch, b.last
    from below b join task_edge e on e.version_id = b.version_id and e.upstream_index = b.task_index
    where b.last is null or e.downstream_index <= b.last
  ), unwanted as (
    select dag_run_id, downstream_index as task_index from choice c
    where is_branch and not chosen and not exists (
      select from below b where b.dag_run_id = c.dag_run_id and b.origin = c.task_index and b.task_index = c.downstream_index)
    union
    select dag_run_id, task_index from below where not is_branch
  ), moved as (
    update task_instance t set state = 'skipped', ended_at = now(), reason = 'not chosen'
    from unwanted u
    where t.dag_run_id = u.dag_run_id and t.task_index = u.task_index and t.state = 'none'
      and t.rule not in ('always', 'all_done_setup_success')
    returning t.id, t.dag_run_id, t.reason
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', 'skipped', reason from moved
  )
  select coalesce(array_agg(id), '{}') from moved
$function$;
CREATE OR REPLACE FUNCTION public.spread_maps(p_run bigint, p_version bigint, p_maps integer[], p_n integer)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
  -- What waits for all items of these maps waits for so many more.
  update task_instance d set up_total = d.up_total + c.more, gates_open = d.gates_open + c.gates
  from (
    select task_index, sum(more)::integer as more, sum(gates)::integer as gates from (
      select downstream_index as task_index, p_n - 1 as more, 0 as gates from task_edge
      where version_id = p_version and upstream_index = any (p_maps) and not per_item
      union all
      select task_index, 0, p_n - 1 from task_gate where version_id = p_version and gate_index = any (p_maps) and not per_item
    ) one group by task_index
  ) c
  where d.dag_run_id = p_run and d.task_index = c.task_index and d.state = 'none';
  update task_instance set map_index = 0, expands = false where dag_run_id = p_run and task_index = any (p_maps);
  -- Items of an earlier expansion come back with their tries.
  with returned as (
    update task_instance t set state = 'none', task_index = f.task_index, version_id = f.version_id, rule = f.rule, up_total = f.up_total,
      up_success = f.up_success, up_failed = f.up_failed, up_skipped = f.up_skipped, up_upstream_failed = f.up_upstream_failed,
      gates_open = f.gates_open, lane = f.lane, pool = f.pool, pool_slots = f.pool_slots, priority = f.priority, max_active = f.max_active,
      queue = f.queue, concurrency_key = f.concurrency_key, concurrency_limit = f.concurrency_limit, expands = false, ended_at = null,
      reason = null
    from task_instance f
    where f.dag_run_id = p_run and f.task_index = any (p_maps) and f.map_index = 0
      and t.dag_run_id = p_run and t.task_id = f.task_id and t.state = 'removed' and t.map_index between 1 and p_n - 1
    returning t.id
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state) select id, p_run, 'removed', 'none' from returned;
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, map_index, rule, expands, up_total, up_success, up_failed,
    up_skipped, up_upstream_failed, gates_open, deadline, lane, pool, pool_slots, priority, max_active, queue, backfill, concurrency_key,
    concurrency_limit, queue_timeout, start_by)
  select dag_run_id, version_id, dag_id, task_id, task_index, i, rule, false, up_total, up_success, up_failed,
    up_skipped, up_upstream_failed, gates_open, deadline, lane, pool, pool_slots, priority, max_active, queue, backfill, concurrency_key,
    concurrency_limit, queue_timeout, start_by
  from task_instance, generate_series(1, p_n - 1) i
  where dag_run_id = p_run and task_index = any (p_maps) and map_index = 0
  on conflict (dag_run_id, task_index, map_index) do nothing;
  update dag_run set unfinished = unfinished + cardinality(p_maps) * (p_n - 1) where id = p_run;
end
$function$;
CREATE OR REPLACE FUNCTION public.start_attempts(p_worker uuid, p_claim uuid, p_ids bigint[])
 RETURNS void
 LANGUAGE sql
AS $function$
  with resumed as (
    update task_attempt a set state = 'running', worker_id = p_worker, claim_id = p_claim, previous_token = token, token = gen_random_uuid()
    from task_instance t
    where t.id = any (p_ids) and t.state = 'queued' and a.attempt_id = t.attempt_id and a.state = 'up_for_reschedule'
    returning a.task_instance_id
  ), moved as (
    update task_instance t set state = 'running', ended_at = null, wake_at = null, reason = null, start_by = null,
      try_number = t.try_number + (r.task_instance_id is null)::integer,
      attempt_id = case when r.task_instance_id is null then uuidv7() else t.attempt_id end,
      started_at = case when r.task_instance_id is null then now() else t.started_at end
    from unnest(p_ids) chosen left join resumed r on r.task_instance_id = chosen
    where t.id = chosen and t.state = 'queued'
    returning t.id, t.dag_run_id, t.version_id, t.task_index, t.attempt_id, t.try_number, r.task_instance_id is not null as is_resumed
  ), attempt as (
    insert into task_attempt (attempt_id, task_instance_id, dag_run_id, try_number, worker_id, claim_id, deadline_at)
    select m.attempt_id, m.id, m.dag_run_id, m.try_number, p_worker, p_claim, now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
    where not m.is_resumed
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
  select id, dag_run_id, 'queued', 'running', attempt_id from moved
$function$;
CREATE OR REPLACE FUNCTION public.start_epoch(p_epoch bigint, p_reason text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
declare
  epoch bigint;
begin
  select value::text::bigint into epoch from setting where key = 'epoch' for no key update;
  if epoch is distinct from p_epoch then
    return epoch;
  end if;
  update setting set value = to_jsonb(epoch + 1), updated_at = now() where key = 'epoch';
  update worker set state = 'lost', ended_at = now() where state in ('active', 'draining');
  delete from leader_lease;
  delete from scheduler;
  insert into audit_log (actor, action, details)
  values ('qflow', 'database.restored', jsonb_build_object('epoch', epoch + 1, 'reason', p_reason));
  return epoch + 1;
end
$function$;
CREATE OR REPLACE FUNCTION public.start_runs(p_dag text)
 RETURNS integer
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
declare
  room integer;
  one record;
  ready integer := 0;
begin
  select max_active_runs into room from dag where dag_id = p_dag and active and not paused for no key update; -- guard: start-lock, start-paused
  if room is null then
    return 0;
  end if;
  ready := start_some_runs(p_dag, null, room);
  for one in select b.id, b.max_active_runs from backfill b
    where b.id in (select backfill_id from dag_run where dag_id = p_dag and state = 'queued')
      and (b.completed_at is not null or not b.paused) order by b.id
  loop
    ready := ready + start_some_runs(p_dag, one.id, one.max_active_runs);
  end loop;
  return ready;
end
$function$;
CREATE OR REPLACE FUNCTION public.start_some_runs(p_dag text, p_backfill bigint, p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  room integer := p_limit - (select count(*) from dag_run
    where dag_id = p_dag and state = 'running' and backfill_id is not distinct from p_backfill);
  run dag_run;
  ready integer := 0;
begin
  if room <= 0 then
    return 0;
  end if;
  for run in
    select * from dag_run where dag_id = p_dag and state = 'queued' and run_after <= now() and backfill_id is not distinct from p_backfill
    order by run_after, id for no key update
  loop
    continue when not run_fits_key(run); -- guard: run-key
    update dag_run set state = case when unfinished = 0 then 'success' else 'running' end, started_at = coalesce(started_at, now()),
      ended_at = case when unfinished = 0 then now() end, reason = null,
      timeout_at = now() + (select v.run_timeout from dag_version v where v.id = version_id)
    where id = run.id;
    ready := ready + settle_run(run.id);
    room := room - 1;
    exit when room <= 0;
  end loop;
  return ready;
end
$function$;
CREATE OR REPLACE FUNCTION public.store_version(p_dag text, p_spec jsonb, p_spec_hash text, p_bundle text, p_tasks jsonb)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
declare
  version bigint;
begin
  select id into version from dag_version where dag_id = p_dag and spec_hash = p_spec_hash and bundle_hash = p_bundle
    for key share;
  if version is not null then
    return version;
  end if;
  insert into dag_version (dag_id, number, bundle_hash, spec_hash, spec, deadline, max_active_tasks, run_timeout, concurrency)
  select p_dag, coalesce(max(number), 0) + 1, p_bundle, p_spec_hash, p_spec, p_spec -> 'deadline', (p_spec ->> 'maxActiveTasks')::integer,
    make_interval(secs => (p_spec ->> 'timeoutMs')::double precision / 1000), nullif(p_spec -> 'concurrency', 'null')
  from dag_version where dag_id = p_dag
  returning id into version;
  insert into task_def (version_id, task_index, task_id, kind, lane, map_over_index, operator, inputs, value_indexes, branch_targets,
    rule, role, upstream_count, gate_count, is_leaf, retries, retry_delay_ms, retry_factor, retry_max_ms, retry_jitter, timeout_ms, pool, pool_slots,
    priority, max_active, queue, concurrency, deadline, emits, sensor, retry_policy, queue_timeout, start_timeout)
  select version, t.task_index, t.task_id, t.kind, t.lane, t.map_over_index, t.operator, t.inputs, t.value_indexes, t.branch_targets,
    t.rule, t.role, t.upstream_count, t.gate_count, t.is_leaf, t.retries, t.retry_delay_ms, t.retry_factor, t.retry_max_ms, t.retry_jitter, t.timeout_ms,
    t.pool, t.pool_slots, t.priority, t.max_active, t.queue, t.concurrency, t.deadline, t.emits, t.sensor, nullif(t.retry_policy, 'null'),
    t.queue_timeout, t.start_timeout
  from jsonb_populate_recordset(null::task_def, p_tasks) t;
  insert into notify_rule (version_id, event, channel)
  select version, e, c from jsonb_array_elements(p_spec -> 'notify') n
  cross join jsonb_array_elements_text(n -> 'on') e cross join jsonb_array_elements_text(n -> 'to') c
  on conflict do nothing;
  insert into task_edge (version_id, upstream_index, downstream_index, per_item)
  select version, i::integer, (t ->> 'task_index')::integer, coalesce(i = t ->> 'follows_index', false)
  from jsonb_array_elements(p_tasks) t cross join jsonb_array_elements_text(t -> 'upstream_indexes') i;
  insert into task_gate (version_id, gate_index, task_index, per_item)
  select version, i::integer, (t ->> 'task_index')::integer, coalesce(i = t ->> 'follows_index', false)
  from jsonb_array_elements(p_tasks) t cross join jsonb_array_elements_text(t -> 'gate_indexes') i;
  return version;
end
$function$;
CREATE OR REPLACE FUNCTION public.task_room(t task_instance, p_picked bigint[])
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
AS $function$
declare
  room integer := 2147483647;
begin
  if t.max_active is not null then
    room := t.max_active - (select count(*) from task_instance r -- guard: task-room
        where r.state = 'running' and r.max_active is not null and r.dag_id = t.dag_id and r.task_id = t.task_id)
      - (select count(*) from task_instance r where r.id = any (p_picked) and r.dag_id = t.dag_id and r.task_id = t.task_id);
  end if;
  if t.concurrency_key is not null then
    room := least(room, t.concurrency_limit - (select count(*) from task_instance r -- guard: key-room
        where r.state = 'running' and r.dag_id = t.dag_id and r.concurrency_key = t.concurrency_key)
      - (select count(*) from task_instance r
        where r.id = any (p_picked) and r.dag_id = t.dag_id and r.concurrency_key = t.concurrency_key));
  end if;
  return room;
end
$function$;
CREATE OR REPLACE FUNCTION public.tell_import_error()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if tg_op = 'UPDATE' and old.message = new.message then
    return null;
  end if;
  perform notify_event('importError', d.version_id, format('%s/%s', d.dag_id, extract(epoch from now())), '{}', jsonb_build_object(
    'dag_id', d.dag_id, 'file', new.file, 'line', new.line, 'error', jsonb_build_object('code', new.code, 'message', new.message,
      'remedy', new.remedy)))
  from dag d where d.file = new.file and d.active and d.version_id is not null;
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.tell_run_end()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  about text := case new.state when 'failed' then 'runFailed' else 'runSucceeded' end;
begin
  delete from deadline where dag_run_id = new.id;
  if exists (select from notify_rule where version_id = new.version_id and event = about) then
    perform notify_event(about, new.version_id, format('%s/%s', new.id, extract(epoch from now())), '{}', run_payload(new)
      || jsonb_build_object('cancelled', new.cancel_requested_at is not null, 'failed_tasks', array(
        select distinct task_id from task_instance where dag_run_id = new.id and state = 'failed' order by task_id limit 20)));
  end if;
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.tell_task()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
declare
  about text := case new.state when 'failed' then 'taskFailed' else 'taskRetry' end;
begin
  if new.reason is distinct from 'cancelled' and exists (select from notify_rule where version_id = new.version_id and event = about) then
    perform notify_event(about, new.version_id, format('%s/%s/%s', new.dag_run_id, new.task_id, new.try_number), '{}', run_payload(r)
      || jsonb_build_object('task_id', new.task_id, 'map_index', new.map_index, 'try_number', new.try_number, 'state', new.state,
        'reason', new.reason, 'retry_at', new.wake_at, 'error', (
          select a.error from task_attempt a where a.attempt_id = new.attempt_id)))
    from dag_run r where r.id = new.dag_run_id;
  end if;
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.track_deadline()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  if is_ended(new.state) then
    delete from deadline where task_instance_id = new.id;
  elsif new.try_number = 0 then
    insert into deadline (dag_run_id, task_instance_id, due_at)
    select r.id, new.id, deadline_due(new.deadline, r, new.queued_at) from dag_run r
    where r.id = new.dag_run_id and deadline_due(new.deadline, r, new.queued_at) is not null
    on conflict do nothing;
  end if;
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.upstream_values(t task_instance, def task_def, p_limit bigint DEFAULT input_limit())
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select case when (
    select sum(x.size) from task_instance u join xcom x on x.task_instance_id = u.id
    where u.dag_run_id = t.dag_run_id and u.task_index = any (def.value_indexes)) > p_limit then null else gathered_values(t, def) end
$function$;
CREATE OR REPLACE FUNCTION public.uuid_at(p_at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$function$;
CREATE OR REPLACE FUNCTION public.waiting_dags(p_lane text, p_pool text, p_queue text, p_rank bigint, p_last text, p_limit integer)
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
AS $function$
declare
  dags text[] := '{}';
  dag text := p_last;
  wrapped boolean := false;
begin
  while cardinality(dags) < p_limit loop
    select t.dag_id into dag from task_instance t
    where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id > dag
    order by t.dag_id limit 1;
    if dag is null and not wrapped then
      wrapped := true;
      dag := '';
      continue;
    end if;
    exit when dag is null or wrapped and dag > p_last;
    dags := dags || dag;
  end loop;
  return dags;
end
$function$;
CREATE OR REPLACE FUNCTION public.waiting_runs(p_lane text, p_pool text, p_queue text, p_rank bigint, p_dag text, p_last bigint, p_limit integer)
 RETURNS bigint[]
 LANGUAGE plpgsql
 STABLE
AS $function$
declare
  runs bigint[] := '{}';
  run bigint := p_last;
  wrapped boolean := false;
begin
  while cardinality(runs) < p_limit loop
    select t.dag_run_id into run from task_instance t
    where t.state = 'queued' and t.lane = p_lane and t.pool = p_pool and t.queue = p_queue and t.rank = p_rank and t.dag_id = p_dag
      and t.dag_run_id > run
    order by t.dag_run_id limit 1;
    if run is null and not wrapped then
      wrapped := true;
      run := 0;
      continue;
    end if;
    exit when run is null or wrapped and run > p_last;
    runs := runs || run;
  end loop;
  return runs;
end
$function$;
CREATE OR REPLACE FUNCTION public.wake_dataset_waits()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update task_wait set wake_at = now(), lease = null
  where task_instance_id in (
    select w.task_instance_id from task_wait w
    where w.kind = 'dataset_sensor' and w.key in (select dataset from fresh)
    order by w.task_instance_id for update);
  if found then
    perform pg_notify('qflow_scheduler', '');
  end if;
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.wake_run_waits()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  update task_wait set wake_at = now(), lease = null
  where task_instance_id in (
    select w.task_instance_id from task_wait w where w.kind = 'task_sensor' and w.key = new.dag_id for update skip locked);
  return null;
end
$function$;
CREATE OR REPLACE FUNCTION public.withdraw_instances(p_run bigint, p_ids bigint[], p_reason text)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  fenced integer;
begin
  -- A claim under way is waited for: the statements after this one see what it made.
  perform from task_instance where id = any (p_ids) and dag_run_id = p_run order by id for no key update; -- guard: withdraw-lock
  update task_attempt a set state = 'failed', ended_at = now(), fenced = true, revoked = coalesce(a.revoked, 'cancelled'), -- guard: withdraw-fence
    error = jsonb_build_object('code', 'TASK_CANCELLED', 'message', 'somebody ended this try: the task was ' || p_reason,
      'remedy', 'Nothing: the task''s present state is what was asked for.')
  from task_instance t
  where t.id = any (p_ids) and t.dag_run_id = p_run and t.state = 'running' and a.attempt_id = t.attempt_id and a.state = 'running';
  get diagnostics fenced = row_count;
  with moved as (
    update task_instance set state = 'skipped'
    where id = any (p_ids) and dag_run_id = p_run and state <> 'none' and not is_ended(state)
    returning id, old.state as from_state, state, attempt_id
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id, reason)
  select id, p_run, from_state, state, case from_state when 'running' then attempt_id end, p_reason from moved;
  with moved as (
    update task_instance set state = 'none', uncounted_tries = try_number, infra_failures = 0, decision = null, reason = null, wake_at = null,
      queued_at = null, started_at = null, ended_at = null
    where id = any (p_ids) and dag_run_id = p_run and state <> 'none'
    returning id, old.state as from_state
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, p_run, from_state, 'none', p_reason from moved;
  delete from xcom where task_instance_id = any (p_ids);
  return fenced;
end
$function$;
