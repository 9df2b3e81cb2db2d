-- What was consumed is committed by its row; its file gets its name afterwards, by whoever comes first.
alter table consumption add column staged text;
alter table consumption add column file text;
create index consumption_unpublished on consumption (consumer) where staged is not null;
comment on column consumption.staged is 'Where its file still lies; null when it has its name, or there is none.';
