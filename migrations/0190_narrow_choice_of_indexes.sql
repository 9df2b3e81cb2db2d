-- With the version first this key serves the search for a task by its index almost as well as the primary key, and where there are no
-- statistics yet it is taken for it: every task of the version is read then, in every hand-over.
alter table task_def drop constraint task_def_version_id_task_id_key;
alter table task_def add constraint task_def_task_id_version_id_key unique (task_id, version_id);
