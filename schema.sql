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

create table audit_log (
  audit_id bigint not null generated always as identity,
  at timestamp with time zone not null default now(),
  actor text not null,
  action text not null,
  dag_id text,
  run_id text,
  task_id text,
  details jsonb,
  constraint audit_log_pkey PRIMARY KEY (audit_id)
);

create table bundle (
  hash text not null,
  code text not null,
  source text not null,
  created_at timestamp with time zone not null default now(),
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
  constraint dag_run_dag_id_fkey FOREIGN KEY (dag_id) REFERENCES dag(dag_id) ON DELETE CASCADE,
  constraint dag_run_dag_id_run_id_key UNIQUE (dag_id, run_id),
  constraint dag_run_kind_check CHECK ((kind = ANY (ARRAY['scheduled'::text, 'manual'::text, 'dataset'::text, 'backfill'::text]))),
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
  constraint dataset_event_dataset_key_key UNIQUE (dataset, key),
  constraint dataset_event_pkey PRIMARY KEY (id)
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
  worker_id uuid not null,
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
  constraint task_attempt_pkey PRIMARY KEY (attempt_id),
  constraint task_attempt_revoked_check CHECK ((revoked = ANY (ARRAY['cancelled'::text, 'timeout'::text]))),
  constraint task_attempt_state_check CHECK ((state = ANY (ARRAY['running'::text, 'success'::text, 'failed'::text, 'skipped'::text]))),
  constraint task_attempt_task_instance_id_fkey FOREIGN KEY (task_instance_id) REFERENCES task_instance(id) ON DELETE CASCADE,
  constraint task_attempt_task_instance_id_try_number_key UNIQUE (task_instance_id, try_number),
  constraint task_attempt_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES worker(worker_id)
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
  constraint task_def_kind_check CHECK ((kind = ANY (ARRAY['function'::text, 'map'::text, 'branch'::text, 'shortCircuit'::text, 'operator'::text]))),
  constraint task_def_lane_check CHECK ((lane = ANY (ARRAY['function'::text, 'operator'::text]))),
  constraint task_def_pkey PRIMARY KEY (version_id, task_index),
  constraint task_def_pool_slots_check CHECK ((pool_slots > 0)),
  constraint task_def_retry_jitter_check CHECK ((retry_jitter = ANY (ARRAY['none'::text, 'full'::text]))),
  constraint task_def_version_id_fkey FOREIGN KEY (version_id) REFERENCES dag_version(id) ON DELETE CASCADE,
  constraint task_def_version_id_task_id_key UNIQUE (version_id, task_id)
);

create table task_edge (
  version_id bigint not null,
  upstream_index integer not null,
  downstream_index integer not null,
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
  constraint task_instance_dag_run_id_fkey FOREIGN KEY (dag_run_id) REFERENCES dag_run(id) ON DELETE CASCADE,
  constraint task_instance_dag_run_id_task_index_map_index_key UNIQUE (dag_run_id, task_index, map_index),
  constraint task_instance_pkey PRIMARY KEY (id),
  constraint task_instance_state_check CHECK ((state = ANY (ARRAY['none'::text, 'queued'::text, 'running'::text, 'up_for_retry'::text, 'success'::text, 'failed'::text, 'skipped'::text, 'upstream_failed'::text])))
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
  constraint xcom_blob_pkey PRIMARY KEY (hash)
);

-- indexes
CREATE INDEX audit_log_at ON public.audit_log USING btree (at DESC);
CREATE INDEX catalog_alias_dataset ON public.catalog_alias USING btree (dataset_id);
CREATE INDEX catalog_column_edge_source ON public.catalog_column_edge USING btree (source_dataset, source_column);
CREATE INDEX catalog_dataset_layer ON public.catalog_dataset USING btree (layer, name);
CREATE INDEX catalog_edge_target ON public.catalog_edge USING btree (target, source);
CREATE INDEX dag_due ON public.dag USING btree (next_run_after) WHERE (active AND (NOT paused) AND (next_run_after IS NOT NULL));
CREATE INDEX dag_file ON public.dag USING btree (file);
CREATE INDEX dag_plan ON public.dag USING btree (dag_id) WHERE (active AND plan_pending);
CREATE INDEX dag_run_active ON public.dag_run USING btree (dag_id, id) WHERE (state = ANY (ARRAY['queued'::text, 'running'::text]));
CREATE INDEX dag_run_ended ON public.dag_run USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX dag_run_recent ON public.dag_run USING btree (dag_id, id DESC);
CREATE INDEX dataset_event_waiting ON public.dataset_event USING btree (dataset, id);
CREATE INDEX file_manifest_batch ON public.file_manifest USING btree (batch);
CREATE INDEX file_manifest_content ON public.file_manifest USING btree (feed, sha256) WHERE (replaced_by IS NULL);
CREATE INDEX file_manifest_landed ON public.file_manifest USING btree (landed_by) WHERE (landed_by IS NOT NULL);
CREATE INDEX file_manifest_originals ON public.file_manifest USING btree (duplicate_of) WHERE (duplicate_of IS NOT NULL);
CREATE INDEX file_manifest_promoted ON public.file_manifest USING btree (promoted_by) WHERE (promoted_by IS NOT NULL);
CREATE INDEX file_manifest_replaced ON public.file_manifest USING btree (replaced_by) WHERE (replaced_by IS NOT NULL);
CREATE INDEX lineage_event_pending ON public.lineage_event USING btree (event_id) WHERE (processed_at IS NULL);
CREATE INDEX lineage_event_received ON public.lineage_event USING btree (received_at);
CREATE INDEX lineage_io_dataset ON public.lineage_io USING btree (dataset_id, direction, at DESC);
CREATE INDEX lineage_run_attempt ON public.lineage_run USING btree (attempt_id);
CREATE INDEX lineage_run_job ON public.lineage_run USING btree (job_id, event_at DESC);
CREATE INDEX task_attempt_deadline ON public.task_attempt USING btree (deadline_at) WHERE ((state = 'running'::text) AND (deadline_at IS NOT NULL));
CREATE INDEX task_attempt_fenced ON public.task_attempt USING btree (worker_id, ended_at) WHERE fenced;
CREATE INDEX task_attempt_live ON public.task_attempt USING btree (worker_id) WHERE (state = 'running'::text);
CREATE INDEX task_edge_downstream ON public.task_edge USING btree (version_id, downstream_index);
CREATE INDEX task_event_at ON ONLY public.task_event USING brin (at) WITH (pages_per_range='16', autosummarize='on');
CREATE INDEX task_event_run ON ONLY public.task_event USING btree (dag_run_id, at);
CREATE INDEX task_instance_queue ON public.task_instance USING btree (pool, lane, priority DESC, id) WHERE (state = 'queued'::text);
CREATE INDEX task_instance_running ON public.task_instance USING btree (pool) INCLUDE (pool_slots, dag_run_id, dag_id, task_id) WHERE (state = 'running'::text);
CREATE INDEX task_instance_task ON public.task_instance USING btree (dag_id, task_id, id DESC);
CREATE INDEX task_instance_wake ON public.task_instance USING btree (wake_at) WHERE (state = 'up_for_retry'::text);
CREATE INDEX worker_live ON public.worker USING btree (host_id) WHERE (state = ANY (ARRAY['active'::text, 'draining'::text]));
CREATE INDEX xcom_blob_use ON public.xcom USING btree (blob_hash) WHERE (blob_hash IS NOT NULL);
CREATE UNIQUE INDEX catalog_job_task ON public.catalog_job USING btree (dag_id, task_id) WHERE (dag_id IS NOT NULL);
CREATE UNIQUE INDEX dag_run_tick ON public.dag_run USING btree (dag_id, logical_date) WHERE (kind = 'scheduled'::text);

-- triggers
CREATE TRIGGER task_instance_births BEFORE INSERT ON public.task_instance FOR EACH ROW WHEN ((new.state <> ALL (ARRAY['none'::text, 'queued'::text]))) EXECUTE FUNCTION refuse_move();
CREATE TRIGGER task_instance_moves BEFORE UPDATE OF state ON public.task_instance FOR EACH ROW WHEN (((old.state <> new.state) AND (((old.state || '>'::text) || new.state) <> ALL (ARRAY['none>queued'::text, 'none>skipped'::text, 'none>upstream_failed'::text, 'none>failed'::text, 'queued>running'::text, 'queued>skipped'::text, 'running>success'::text, 'running>failed'::text, 'running>skipped'::text, 'running>up_for_retry'::text, 'running>queued'::text, 'up_for_retry>queued'::text, 'up_for_retry>skipped'::text, 'success>none'::text, 'failed>none'::text, 'skipped>none'::text, 'upstream_failed>none'::text])))) EXECUTE FUNCTION refuse_move();


-- sequences
create sequence catalog_node_seq;
create sequence file_load_seq;

-- functions
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
CREATE OR REPLACE FUNCTION public.cancel_run(p_run bigint)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  n integer;
begin
  perform from dag_run where id = p_run and state in ('queued', 'running') for no key update;
  if not found then
    return null;
  end if;
  with chosen as (
    update task_instance set state = 'skipped', reason = 'cancelled', ended_at = now(), wake_at = null
    where dag_run_id = p_run and state in ('none', 'queued', 'up_for_retry')
    returning id, dag_run_id, old.state as from_state
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, dag_run_id, from_state, 'skipped', 'cancelled' from chosen;
  get diagnostics n = row_count;
  update dag_run set cancel_requested_at = now(), unfinished = unfinished - n,
    state = case when unfinished = n then 'failed' else state end, ended_at = case when unfinished = n then now() end
  where id = p_run;
  update task_attempt set revoked = 'cancelled' where dag_run_id = p_run and state = 'running' and revoked is null;
  get diagnostics n = row_count;
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
CREATE OR REPLACE FUNCTION public.choose_queued(p_lane text, p_limit integer)
 RETURNS bigint[]
 LANGUAGE sql
AS $function$
  with active as materialized (
    select pool, pool_slots, dag_run_id, dag_id, task_id from task_instance where state = 'running'
  ), full_run as materialized (
    select a.dag_run_id, v.max_active_tasks - count(*) as free
    from active a join dag_run r on r.id = a.dag_run_id join dag_version v on v.id = r.version_id
    group by a.dag_run_id, v.max_active_tasks
  ), task_use as materialized (
    select dag_id, task_id, count(*) as used from active group by dag_id, task_id
  ), candidate as (
    select q.*, p.slots - coalesce(u.used, 0) as free
    from pool p
    left join (select pool, sum(pool_slots) as used from active group by pool) u on u.pool = p.name
    cross join lateral (
      select t.id, t.pool, t.pool_slots, t.priority, t.dag_run_id, t.version_id, t.dag_id, t.task_id, t.max_active
      from task_instance t
      where t.state = 'queued' and t.pool = p.name and t.lane = p_lane
        and not exists (select from full_run f where f.dag_run_id = t.dag_run_id and f.free <= 0)
        and not exists (select from task_use k where k.dag_id = t.dag_id and k.task_id = t.task_id and k.used >= t.max_active)
      order by t.priority desc, t.id
      limit p_limit
      for no key update skip locked
    ) q
    where p.slots > coalesce(u.used, 0)
  ), ranked as (
    select c.id, c.priority, c.free, c.max_active,
      sum(c.pool_slots) over (partition by c.pool order by c.priority desc, c.id) as pool_take,
      row_number() over (partition by c.dag_run_id order by c.priority desc, c.id) as run_take,
      coalesce(f.free, v.max_active_tasks) as run_free,
      row_number() over (partition by c.dag_id, c.task_id order by c.priority desc, c.id) + coalesce(k.used, 0) as task_take
    from candidate c
    join dag_version v on v.id = c.version_id
    left join full_run f on f.dag_run_id = c.dag_run_id
    left join task_use k on k.dag_id = c.dag_id and k.task_id = c.task_id
  )
  select coalesce(array_agg(id), '{}') from (
    select id from ranked
    where pool_take <= free and run_take <= run_free and (max_active is null or task_take <= max_active)
    order by priority desc, id
    limit p_limit
  ) fitting
$function$;
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
  ids bigint[] := '{}';
  taken bigint[];
begin
  tasks := '[]';
  claimed := 0;
  if p_repeated and exists (select from task_attempt where worker_id = p_worker and state = 'running' and claim_id = p_claim) then
    tasks := claimed_tasks(p_worker, p_claim);
    return;
  end if;
  if p_functions + p_operators <= 0 or not exists (select from task_instance where state = 'queued')
    or not exists (select from worker where worker_id = p_worker and state = 'active') then
    return;
  end if;
  perform pg_advisory_xact_lock(claim_lock());
  -- A second round where limits left room that instances further back can use.
  for round in 1 .. 2 loop
    if p_functions > 0 then
      taken := choose_queued('function', p_functions);
      perform start_attempts(p_worker, p_claim, taken);
      p_functions := p_functions - cardinality(taken);
      ids := ids || taken;
    end if;
    if p_operators > 0 then
      taken := choose_queued('operator', p_operators);
      perform start_attempts(p_worker, p_claim, taken);
      p_operators := p_operators - cardinality(taken);
      ids := ids || taken;
    end if;
    exit when ids = '{}' or p_functions + p_operators <= 0 or not exists (select from task_instance where state = 'queued');
  end loop;
  claimed := cardinality(ids);
  if claimed > 0 then
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
    'intervalEnd', r.interval_end, 'inputs', d.inputs, 'branchTargets', d.branch_targets, 'emits', d.emits, 'timeoutMs', d.timeout_ms,
    'item', case when t.map_index >= 0 then (select i.value from map_item i where i.task_instance_id = t.id) end,
    'upstream', case when d.value_indexes = '{}' then '{}' else upstream_values(t, d) end,
    'events', case when r.kind <> 'dataset' then '[]' else (
      select coalesce(jsonb_agg(jsonb_build_object('dataset', e.dataset, 'at', e.at, 'extra', e.extra) order by e.id), '[]')
      from dag_run_event re join dataset_event e on e.id = re.event_id where re.dag_run_id = r.id) end,
    'previousHandle', case when a.try_number > 1 then (
      select p.handle from task_attempt p where p.task_instance_id = t.id and p.handle is not null and p.try_number < a.try_number
      order by p.try_number desc limit 1) end) order by t.priority desc, t.id), '[]')
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
  run dag_run;
  busy text;
begin
  perform from dag where dag_id = (select dag_id from dag_run where id = p_run) for no key update;
  select * into run from dag_run where id = p_run for no key update;
  select task_id into busy from task_instance
  where id = any (p_ids) and dag_run_id = p_run and state not in ('success', 'failed', 'skipped', 'upstream_failed') limit 1;
  if busy is not null then
    raise exception 'task % has not ended', busy using errcode = 'QF002';
  end if;
  with moved as (
    update task_instance set state = 'none', uncounted_tries = try_number, infra_failures = 0, reason = null, wake_at = null,
      queued_at = null, started_at = null, ended_at = null
    where id = any (p_ids) and dag_run_id = p_run
    returning id, old.state as from_state
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
  select id, p_run, from_state, 'none', 'cleared' from moved;
  delete from xcom where task_instance_id = any (p_ids);
  perform fold_maps(p_run, p_ids);
  perform recount_run(p_run);
  update dag_run set cancel_requested_at = null, ended_at = null, state = case when run.state = 'running' then 'running' else 'queued' end,
    unfinished = (select count(*) from task_instance where dag_run_id = p_run
      and state not in ('success', 'failed', 'skipped', 'upstream_failed'))
  where id = p_run;
  if run.state = 'running' then
    perform settle_run(p_run);
  else
    perform start_runs(run.dag_id);
  end if;
  return cardinality(p_ids);
end
$function$;
CREATE OR REPLACE FUNCTION public.count_down(p_ended bigint[], OUT ended bigint[], OUT queued integer, OUT expand bigint[])
 RETURNS record
 LANGUAGE sql
AS $function$
  with delta as (
    select f.dag_run_id, e.downstream_index,
      count(*) filter (where f.state = 'success')::integer as success,
      count(*) filter (where f.state = 'failed')::integer as failed,
      count(*) filter (where f.state = 'skipped')::integer as skipped,
      count(*) filter (where f.state = 'upstream_failed')::integer as upstream_failed
    from task_instance f
    join task_edge e on e.version_id = f.version_id and e.upstream_index = f.task_index
    where f.id = any (p_ended)
    group by f.dag_run_id, e.downstream_index
  ), counted as (
    select t.id, t.expands, t.up_success + d.success as success, t.up_failed + d.failed as failed,
      t.up_skipped + d.skipped as skipped, t.up_upstream_failed + d.upstream_failed as upstream_failed,
      decide(t.rule, t.up_total, t.up_success + d.success, t.up_failed + d.failed, t.up_skipped + d.skipped,
        t.up_upstream_failed + d.upstream_failed) as decision
    from delta d
    join task_instance t on t.dag_run_id = d.dag_run_id and t.task_index = d.downstream_index and t.state = 'none'
  ), moved as (
    update task_instance t set
      up_success = c.success, up_failed = c.failed, up_skipped = c.skipped, up_upstream_failed = c.upstream_failed,
      state = case when c.decision = 'queued' and t.expands then 'none' else c.decision end,
      queued_at = case when c.decision = 'queued' and not t.expands then now() end,
      ended_at = case when c.decision in ('skipped', 'upstream_failed') then now() end,
      reason = case c.decision when 'skipped' then 'the trigger rule' when 'upstream_failed' then 'an upstream failed' end
    from counted c
    where t.id = c.id
    returning t.id, t.dag_run_id, t.state, t.reason, c.decision, t.expands
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved where state <> 'none'
  )
  select coalesce(array_agg(id) filter (where state in ('skipped', 'upstream_failed')), '{}'),
    (count(*) filter (where state = 'queued'))::integer,
    coalesce(array_agg(id) filter (where state = 'none' and decision = 'queued'), '{}')
  from moved
$function$;
CREATE OR REPLACE FUNCTION public.create_run(p_dag text, p_run_id text, p_version bigint, p_kind text, p_logical timestamp with time zone, p_start timestamp with time zone, p_end timestamp with time zone, p_run_after timestamp with time zone, p_conf jsonb, p_params jsonb, p_by text)
 RETURNS bigint
 LANGUAGE plpgsql
AS $function$
declare
  run bigint;
  n integer;
begin
  insert into dag_run (dag_id, run_id, version_id, kind, logical_date, interval_start, interval_end, run_after, conf, params, triggered_by)
  values (p_dag, p_run_id, p_version, p_kind, p_logical, p_start, p_end, coalesce(p_run_after, now()), p_conf, p_params, p_by)
  on conflict do nothing
  returning id into run;
  if run is null then
    return null;
  end if;
  insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, rule, expands, up_total, lane, pool, pool_slots, priority,
    max_active)
  select run, version_id, p_dag, task_id, task_index, rule, map_over_index is not null, upstream_count, lane, pool, pool_slots, priority,
    max_active
  from task_def where version_id = p_version order by task_index;
  get diagnostics n = row_count;
  update dag_run set unfinished = n where id = run;
  return run;
end
$function$;
CREATE OR REPLACE FUNCTION public.dataset_lock()
 RETURNS bigint
 LANGUAGE sql
 IMMUTABLE
AS $function$select 7101002::bigint$function$;
CREATE OR REPLACE FUNCTION public.decide(rule text, total integer, success integer, failed integer, skipped integer, upstream_failed integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
  select case
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
  end
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
    update task_attempt a set ended_at = now(), fenced = p_fence, exit = g.o -> 'exit', error = g.o -> 'error', state = g.o ->> 'state'
    from given g
    where a.attempt_id = any (p_ids) and a.attempt_id = g.attempt_id and a.token = g.token and a.state = 'running'
    returning a.attempt_id, a.task_instance_id, a.revoked, g.o
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
      ended_at = case when g.state in ('success', 'failed', 'skipped') then now() end,
      queued_at = case when g.state = 'queued' then now() else t.queued_at end,
      reason = coalesce(g.revoked, g.o ->> 'reason', g.o -> 'error' ->> 'code'),
      uncounted_tries = t.uncounted_tries + (g.state = 'queued' or g.is_infra)::integer,
      infra_failures = t.infra_failures + (g.state <> 'queued' and g.is_infra)::integer,
      wake_at = case when g.state <> 'up_for_retry' then null
        when g.is_infra then now() + infra_delay(g.infra_failures)
        else now() + retry_delay(g.def, g.counted) end
    from target g
    where t.id = g.task_instance_id
    returning t.id, t.dag_run_id, t.state, t.reason, g.attempt_id
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id, reason)
    select id, dag_run_id, 'running', state, attempt_id, reason from moved
  )
  select coalesce(array_agg(attempt_id), '{}'), coalesce(array_agg(id) filter (where state in ('success', 'failed', 'skipped')), '{}'),
    (count(*) filter (where state = 'queued'))::integer
  from moved
$function$;
CREATE OR REPLACE FUNCTION public.ended_state(o jsonb, revoked text, t task_instance, def task_def)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select case
    when o ->> 'state' in ('success', 'skipped') then o ->> 'state'
    when revoked = 'cancelled' then 'failed'
    when o ->> 'handBack' = 'true' then 'queued'
    when revoked is null and o ->> 'retry' = 'infra' then
      case when t.infra_failures < infra_limit() then 'up_for_retry' else 'failed' end
    when o ->> 'retry' = 'fatal' then 'failed'
    when t.try_number - t.uncounted_tries <= def.retries then 'up_for_retry'
    else 'failed'
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
  perform pg_advisory_xact_lock(7101005);
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
AS $function$
declare
  items jsonb := mapped_over(p_id);
  n integer := case when jsonb_typeof(items) = 'array' then jsonb_array_length(items) end;
begin
  ended := '{}';
  queued := coalesce(n, 0);
  if queued = 0 then
    with moved as (
      update task_instance set state = case when n = 0 then 'skipped' else 'failed' end, ended_at = now(),
        reason = case when n = 0 then 'nothing to map over' else 'what it maps over is not an array' end
      where id = p_id
      returning id, dag_run_id, state, reason
    )
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', state, reason from moved;
    ended := array[p_id];
    return;
  end if;
  with first as (
    update task_instance set map_index = 0, state = 'queued', expands = false, queued_at = now() where id = p_id returning *
  ), rest as (
    insert into task_instance (dag_run_id, version_id, dag_id, task_id, task_index, map_index, state, rule, expands,
      up_total, up_success, up_failed, up_skipped, up_upstream_failed, lane, pool, pool_slots, priority, max_active, queued_at)
    select dag_run_id, version_id, dag_id, task_id, task_index, i, 'queued', rule, false,
      up_total, up_success, up_failed, up_skipped, up_upstream_failed, lane, pool, pool_slots, priority, max_active, now()
    from first, generate_series(1, n - 1) i
    returning id, dag_run_id, map_index
  ), instance as (
    select id, dag_run_id, map_index from first union all select id, dag_run_id, map_index from rest
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'none', 'queued' from instance
  ), item as (
    insert into map_item (task_instance_id, value)
    select id, items -> map_index from instance
  ), downstream as (
    update task_instance d set up_total = d.up_total + n - 1
    from first f
    join task_edge e on e.version_id = f.version_id and e.upstream_index = f.task_index
    where d.dag_run_id = f.dag_run_id and d.task_index = e.downstream_index and d.state = 'none'
  )
  update dag_run r set unfinished = r.unfinished + n - 1 from first f where r.id = f.dag_run_id;
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
  known jsonb := '[]';
begin
  if jsonb_array_length(p_outcomes) > 0 then
    select * into done from finish_attempts(p_outcomes, false);
    queued := done.queued;
    closed := done.closed;
    events := done.events;
    known := to_jsonb(done.attempts);
    -- Accepted are also those that an earlier call recorded and whose answer was lost.
    if cardinality(done.attempts) < jsonb_array_length(p_outcomes) then
      select coalesce(jsonb_agg(a.attempt_id), '[]') into known
      from jsonb_array_elements(p_outcomes) o
      join task_attempt a on a.attempt_id = (o ->> 'attemptId')::uuid and a.token = (o ->> 'token')::uuid
      where a.state <> 'running' and not a.fenced;
    end if;
  end if;
  select * into next from claim_tasks(p_worker, p_claim, p_repeated, p_functions, p_operators);
  return jsonb_build_object('accepted', known, 'claimed', next.tasks, 'surplus', queued > next.claimed, 'closed', closed,
    'events', events);
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
  perform from dag_run where id = any (runs) order by id for no key update;
  if decides then
    outcomes := checked_choices(outcomes);
  end if;
  select * into done from end_attempts(outcomes, ids, p_fence);
  attempts := done.attempts;
  -- Strict: lax would look into an array, and an empty one holds nothing.
  if outcomes @? 'strict $[*] ? (@.value != null)' then
    perform keep_values(outcomes, attempts);
  end if;
  events := record_events(outcomes, attempts);
  if decides then
    done.ended := done.ended || skip_unchosen(outcomes, attempts);
  end if;
  select * into after from propagate(done.ended);
  queued := after.queued + done.requeued;
  closed := after.closed;
end
$function$;
CREATE OR REPLACE FUNCTION public.fold_maps(p_run bigint, p_ids bigint[])
 RETURNS void
 LANGUAGE sql
AS $function$
  with folded as (
    select distinct t.task_index
    from task_instance t
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = d.map_over_index and u.id = any (p_ids)
    where t.dag_run_id = p_run and t.map_index >= 0
  ), extra as (
    delete from task_instance t using folded f where t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index > 0
  ), item as (
    delete from map_item i using task_instance t, folded f
    where i.task_instance_id = t.id and t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index = 0
  )
  update task_instance t set map_index = -1, expands = true from folded f
  where t.dag_run_id = p_run and t.task_index = f.task_index and t.map_index = 0
$function$;
CREATE OR REPLACE FUNCTION public.infra_delay(failures integer)
 RETURNS interval
 LANGUAGE sql
AS $function$
  select make_interval(secs => least(60, power(2, least(failures, 6))) * (0.5 + random() / 2))
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
    on conflict do nothing;
  end if;
  insert into xcom (task_instance_id, value, blob_hash, size)
  select r.id, case when octet_length(r.value::text) <= inline_limit() then r.value end,
    case when octet_length(r.value::text) > inline_limit() then sha256(convert_to(r.value::text, 'UTF8')) end, octet_length(r.value::text)
  from unnest(ids, vals) r (id, value)
  on conflict (task_instance_id) do update set value = excluded.value, blob_hash = excluded.blob_hash, size = excluded.size, at = now();
end
$function$;
CREATE OR REPLACE FUNCTION public.mapped_over(p_id bigint)
 RETURNS jsonb
 LANGUAGE sql
 STABLE
AS $function$
  select case
    when bool_or(u.map_index >= 0) then jsonb_agg(coalesce(x.value, b.value, 'null') order by u.map_index)
    else (array_agg(coalesce(x.value, b.value)))[1]
  end
  from task_instance t
  join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
  join task_instance u on u.dag_run_id = t.dag_run_id and u.task_index = d.map_over_index and u.state = 'success'
  left join xcom x on x.task_instance_id = u.id
  left join xcom_blob b on b.hash = x.blob_hash
  where t.id = p_id
$function$;
CREATE OR REPLACE FUNCTION public.propagate(p_ended bigint[], OUT queued integer, OUT closed integer)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  fresh bigint[] := p_ended;
  every_end bigint[] := p_ended;
  step record;
  one bigint;
  mapped record;
begin
  queued := 0;
  while cardinality(fresh) > 0 loop
    select * into step from count_down(fresh);
    fresh := step.ended;
    queued := queued + step.queued;
    foreach one in array step.expand loop
      select * into mapped from expand_map(one);
      fresh := fresh || mapped.ended;
      queued := queued + mapped.queued;
    end loop;
    every_end := every_end || fresh;
  end loop;
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
  perform pg_advisory_xact_lock(dataset_lock());
  insert into dataset_event (dataset, key, extra, task_instance_id, attempt_id)
  select e.event ->> 'dataset', coalesce(e.event ->> 'key', a.attempt_id || '/' || e.position), coalesce(e.event -> 'extra', 'null'),
    a.task_instance_id, a.attempt_id
  from jsonb_array_elements(p_outcomes) with ordinality o (outcome, position)
  join task_attempt a on a.attempt_id = (o.outcome ->> 'attemptId')::uuid and a.attempt_id = any (p_attempts) and a.state = 'success'
  cross join lateral jsonb_array_elements(o.outcome -> 'events') with ordinality e (event, position)
  order by o.position, e.position
  on conflict (dataset, key) do nothing;
  get diagnostics n = row_count;
  return n;
end
$function$;
CREATE OR REPLACE FUNCTION public.recount_run(p_run bigint)
 RETURNS void
 LANGUAGE sql
AS $function$
  update task_instance t set up_total = c.total, up_success = c.success, up_failed = c.failed, up_skipped = c.skipped,
    up_upstream_failed = c.upstream_failed
  from (
    select w.id, count(u.id)::integer as total, (count(*) filter (where u.state = 'success'))::integer as success,
      (count(*) filter (where u.state = 'failed'))::integer as failed, (count(*) filter (where u.state = 'skipped'))::integer as skipped,
      (count(*) filter (where u.state = 'upstream_failed'))::integer as upstream_failed
    from task_instance w
    left join task_edge e on e.version_id = w.version_id and e.downstream_index = w.task_index
    left join task_instance u on u.dag_run_id = w.dag_run_id and u.task_index = e.upstream_index
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
CREATE OR REPLACE FUNCTION public.retry_delay(def task_def, failures integer)
 RETURNS interval
 LANGUAGE sql
AS $function$
  select make_interval(secs => least(def.retry_max_ms, def.retry_delay_ms * power(def.retry_factor, least(failures, 60) - 1))
    / 1000.0 * case def.retry_jitter when 'full' then random() else 1 end)
$function$;
CREATE OR REPLACE FUNCTION public.settle_run(p_run bigint)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  over bigint[];
  expandable bigint[];
  ready integer;
  one bigint;
  mapped record;
  after record;
begin
  with verdict as (
    select id, expands, decide(rule, up_total, up_success, up_failed, up_skipped, up_upstream_failed) as decision
    from task_instance where dag_run_id = p_run and state = 'none'
  ), moved as (
    update task_instance t set state = v.decision,
      queued_at = case when v.decision = 'queued' then now() end,
      ended_at = case when v.decision <> 'queued' then now() end
    from verdict v
    where t.id = v.id and v.decision <> 'none' and not (v.expands and v.decision = 'queued')
    returning t.id, t.dag_run_id, t.state
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state)
    select id, dag_run_id, 'none', state from moved
  )
  select (select coalesce(array_agg(id), '{}') from moved where state <> 'queued'), (select count(*)::integer from moved where state = 'queued'),
    (select coalesce(array_agg(id), '{}') from verdict where expands and decision = 'queued')
  into over, ready, expandable;
  foreach one in array expandable loop
    select * into mapped from expand_map(one);
    over := over || mapped.ended;
    ready := ready + mapped.queued;
  end loop;
  select * into after from propagate(over);
  return ready + after.queued;
end
$function$;
CREATE OR REPLACE FUNCTION public.skip_unchosen(p_outcomes jsonb, p_attempts uuid[])
 RETURNS bigint[]
 LANGUAGE sql
AS $function$
  with recursive decision as (
    select t.dag_run_id, t.version_id, t.task_index, o -> 'branch' as branch, d.branch_targets, t.task_id
    from jsonb_array_elements(p_outcomes) o
    join task_attempt a on a.attempt_id = (o ->> 'attemptId')::uuid and a.attempt_id = any (p_attempts) and a.state = 'success'
    join task_instance t on t.id = a.task_instance_id
    join task_def d on d.version_id = t.version_id and d.task_index = t.task_index
    where jsonb_typeof(o -> 'branch') = 'array' or o ->> 'proceed' = 'false'
  ), choice as (
    select b.*, e.downstream_index, b.branch is not null and b.branch <> 'null' and exists (
      select from jsonb_array_elements_text(b.branch) c where coalesce(b.branch_targets ->> c, c) = d.task_id) as chosen
    from decision b
    join task_edge e on e.version_id = b.version_id and e.upstream_index = b.task_index
    join task_def d on d.version_id = e.version_id and d.task_index = e.downstream_index
  ), below as (
    -- What is reached from chosen tasks, and (short circuit) from every direct downstream.
    select dag_run_id, version_id, task_index as origin, downstream_index as task_index, branch is not null and branch <> 'null' as is_branch
    from choice where chosen or branch is null or branch = 'null'
    union
    select b.dag_run_id, b.version_id, b.origin, e.downstream_index, b.is_branch
    from below b join task_edge e on e.version_id = b.version_id and e.upstream_index = b.task_index
  ), unwanted as (
    select dag_run_id, downstream_index as task_index from choice c
    where branch is not null and branch <> 'null' and not chosen and not exists (
      select from below b where b.dag_run_id = c.dag_run_id and b.origin = c.task_index and b.task_index = c.downstream_index)
    union
    select dag_run_id, task_index from below where not is_branch
  ), moved as (
    update task_instance t set state = 'skipped', ended_at = now(), reason = 'not chosen'
    from unwanted u
    where t.dag_run_id = u.dag_run_id and t.task_index = u.task_index and t.state = 'none'
    returning t.id, t.dag_run_id, t.reason
  ), history as (
    insert into task_event (task_instance_id, dag_run_id, from_state, to_state, reason)
    select id, dag_run_id, 'none', 'skipped', reason from moved
  )
  select coalesce(array_agg(id), '{}') from moved
$function$;
CREATE OR REPLACE FUNCTION public.start_attempts(p_worker uuid, p_claim uuid, p_ids bigint[])
 RETURNS void
 LANGUAGE sql
AS $function$
  with moved as (
    update task_instance set state = 'running', try_number = try_number + 1, attempt_id = uuidv7(), started_at = now(), ended_at = null,
      wake_at = null, reason = null
    where id = any (p_ids) and state = 'queued'
    returning id, dag_run_id, version_id, task_index, attempt_id, try_number
  ), attempt as (
    insert into task_attempt (attempt_id, task_instance_id, dag_run_id, try_number, worker_id, claim_id, deadline_at)
    select m.attempt_id, m.id, m.dag_run_id, m.try_number, p_worker, p_claim, now() + make_interval(secs => d.timeout_ms / 1000.0)
    from moved m join task_def d on d.version_id = m.version_id and d.task_index = m.task_index
  )
  insert into task_event (task_instance_id, dag_run_id, from_state, to_state, attempt_id)
  select id, dag_run_id, 'queued', 'running', attempt_id from moved
$function$;
CREATE OR REPLACE FUNCTION public.start_runs(p_dag text)
 RETURNS integer
 LANGUAGE plpgsql
AS $function$
declare
  room integer;
  one bigint;
  ready integer := 0;
begin
  select max_active_runs into room from dag where dag_id = p_dag and active and not paused for no key update;
  if room is null then
    return 0;
  end if;
  select room - count(*) into room from dag_run where dag_id = p_dag and state = 'running';
  for one in
    select id from dag_run where dag_id = p_dag and state = 'queued' and run_after <= now()
    order by run_after, id limit greatest(room, 0) for no key update
  loop
    update dag_run set state = case when unfinished = 0 then 'success' else 'running' end, started_at = coalesce(started_at, now()),
      ended_at = case when unfinished = 0 then now() end
    where id = one;
    ready := ready + settle_run(one);
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
  select id into version from dag_version where dag_id = p_dag and spec_hash = p_spec_hash and bundle_hash = p_bundle;
  if version is not null then
    return version;
  end if;
  insert into dag_version (dag_id, number, bundle_hash, spec_hash, spec, max_active_tasks)
  select p_dag, coalesce(max(number), 0) + 1, p_bundle, p_spec_hash, p_spec, (p_spec ->> 'maxActiveTasks')::integer
  from dag_version where dag_id = p_dag
  returning id into version;
  insert into task_def (version_id, task_index, task_id, kind, lane, map_over_index, operator, inputs, value_indexes, branch_targets,
    rule, upstream_count, is_leaf, retries, retry_delay_ms, retry_factor, retry_max_ms, retry_jitter, timeout_ms, pool, pool_slots,
    priority, max_active, emits)
  select version, t.task_index, t.task_id, t.kind, t.lane, t.map_over_index, t.operator, t.inputs, t.value_indexes, t.branch_targets,
    t.rule, t.upstream_count, t.is_leaf, t.retries, t.retry_delay_ms, t.retry_factor, t.retry_max_ms, t.retry_jitter, t.timeout_ms,
    t.pool, t.pool_slots, t.priority, t.max_active, t.emits
  from jsonb_populate_recordset(null::task_def, p_tasks) t;
  insert into task_edge (version_id, upstream_index, downstream_index)
  select version, u.i, (t ->> 'task_index')::integer
  from jsonb_array_elements(p_tasks) t cross join lateral (select i::integer from jsonb_array_elements_text(t -> 'upstream_indexes') i) u;
  return version;
end
$function$;
CREATE OR REPLACE FUNCTION public.upstream_values(t task_instance, def task_def)
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
CREATE OR REPLACE FUNCTION public.uuid_at(p_at timestamp with time zone)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
  select (lpad(to_hex((extract(epoch from p_at) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$function$;
