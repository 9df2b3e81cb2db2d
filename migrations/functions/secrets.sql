-- Connections and variables.

-- Every change of them moves the counter that claims answer with.
create function count_secret_change() returns trigger language plpgsql as $$
begin
  update setting set value = to_jsonb(value::text::bigint + 1), updated_at = now() where key = 'secrets';
  return null;
end
$$;

create trigger connection_changes after insert or update or delete on connection for each statement
  execute function count_secret_change();

create trigger variable_changes after insert or update or delete on variable for each statement
  execute function count_secret_change();

-- The counter as it is now.
create function secrets_version() returns bigint language sql stable as $$
  select value::text::bigint from setting where key = 'secrets'
$$;
