-- Removing a version looks for what refers to it.
create index service_of_version on service (version_id);
create index service_attempt_of_version on service_attempt (version_id);
