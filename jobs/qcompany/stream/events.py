"""What a Kafka message says: columns of `standardized.app_events`, or the reason why it is a dead letter."""

import re

from pyspark.sql import functions as F

# Column → field of the event. Ids and names are texts; a number is taken as its digits.
TEXTS = {
    "event_id": "eventId",
    "customer_id": "customerId",
    "product_id": "productId",
    "payment_method": "paymentMethod",
    "recommended_product_id": "recommendedProductId",
    "algorithm": "algorithm",
}
# Column → field of the event's `metadata`.
METADATA_TEXTS = {"category": "category", "source": "source"}
KNOWN = ["eventType", "timestamp", "quantity", "totalAmount", "metadata", *TEXTS.values()]

# `YYYY-MM-DDTHH:MM:SS`, with a fraction and an offset or without.
TIMESTAMP = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$"
# A clock that is off by a century would make a partition for every hour it tells.
FIRST_YEAR, LAST_YEAR = 1900, 2199

# A parser stops where a value ends and says nothing of what follows: the value has to be the first of exactly two.
WRAPPED = "try_parse_json(concat('[', text, ',\"end\"]'))"
SINGLE = "try_variant_get(wrapped, '$[1]', 'string') = 'end' and try_variant_get(wrapped, '$[2]', 'variant') is null"

REASON = f"""case
  when value is null then 'null_value'
  when text is null then 'not_utf8'
  when event is null then 'not_json'
  when fields is null then 'not_an_object'
  when not coalesce(schema_of_variant(fields['eventType']) = 'STRING', false) or trim(event_type) = '' then 'no_event_type'
  when coalesce(written_time, '') = '' then 'no_timestamp'
  when event_time is null then 'bad_timestamp'
  when year(event_time) not between {FIRST_YEAR} and {LAST_YEAR} then 'timestamp_out_of_range'
end"""

SOURCE = ["topic", "partition", "offset", "kafka_time"]
EVENT = ["event_type", "event_time", *TEXTS, *METADATA_TEXTS, "quantity", "total_amount", "extra", "problems", "message_key", *SOURCE]
DEAD = ["reason", "key", "value", *SOURCE]


def parsed(messages):
    """Messages (`key`, `value`, topic, partition, offset, kafka_time) with every column of an event, and `reason`: null = an event."""
    return (
        decoded(messages)
        .selectExpr("*", *(f"{scalar(field_of(field))} as {column}" for column, field in TEXTS.items()))
        .selectExpr("*", *(f"{scalar(metadata_of(field))} as {column}" for column, field in METADATA_TEXTS.items()))
        .selectExpr("*", f"{whole('quantity')} as quantity", f"{amount('totalAmount')} as exact_amount")
        .selectExpr("*", "try_cast(round(exact_amount, 2) as decimal(18,2)) as total_amount")
        .selectExpr("*", f"{problems()} as problems")
        .selectExpr("*", f"{extra()} as extra", f"{REASON} as reason")
        .selectExpr("*", "try_validate_utf8(cast(key as string)) as message_key")
        .selectExpr("*", "to_date(event_time) as event_date", "date_format(event_time, 'HH') as event_hour")
    )


def decoded(messages):
    """Adds the event as a value, its fields, its type and its time. What cannot be read is null."""
    return (
        messages.selectExpr("*", "try_validate_utf8(cast(value as string)) as text")
        .selectExpr("*", f"{WRAPPED} as wrapped")
        .selectExpr("*", f"case when {SINGLE} then try_variant_get(wrapped, '$[0]', 'variant') end as event")
        .selectExpr("*", "try_cast(event as map<string, variant>) as fields")
        .selectExpr("*", "try_cast(fields['metadata'] as map<string, variant>) as metadata")
        .selectExpr(
            "*",
            "try_variant_get(fields['eventType'], '$', 'string') as event_type",
            "try_variant_get(fields['timestamp'], '$', 'string') as written_time",
        )
        .withColumn("event_time", F.expr(f"case when written_time rlike '{TIMESTAMP}' then try_to_timestamp(written_time) end"))
    )


def field_of(name):
    return f"fields['{name}']"


def metadata_of(name):
    return f"metadata['{name}']"


def text_of(value):
    return f"try_variant_get({value}, '$', 'string')"


def scalar(value):
    """A text, number or boolean as text; null for an object or a list, whose text would begin like this."""
    is_text = f"({text_of(value)} not rlike '^[\\\\[{{]' or schema_of_variant({value}) = 'STRING')"
    return f"case when {is_text} then {text_of(value)} end"


def whole(name):
    """A whole number, as a number or in a text; null for anything else, 2.5 and true among it."""
    text = text_of(field_of(name))
    return f"case when {text} rlike '^-?[0-9]+([.]0+)?$' then try_cast(try_cast({text} as decimal(38,6)) as int) end"


def amount(name):
    """A decimal number, as a number or in a text."""
    return f"try_cast({text_of(field_of(name))} as decimal(38,6))"


def problems():
    """Names of the fields that are there and have the wrong type; null when there is none."""
    wrong = [(column, field_of(field), field) for column, field in TEXTS.items()]
    wrong += [(column, metadata_of(field), f"metadata.{field}") for column, field in METADATA_TEXTS.items()]
    wrong += [(column, field_of(column), column) for column in ("metadata", "quantity")]
    wrong += [("total_amount", field_of("totalAmount"), "totalAmount")]
    marks = ", ".join(f"case when {column} is null and {there(value)} then '{name}' end" for column, value, name in wrong)
    # Nearly no event has any: that is found out without making a list.
    return f"case when coalesce({marks}) is not null then array_compact(array({marks})) end"


def there(value):
    return f"({value} is not null and not is_variant_null({value}))"


def extra():
    """What no column holds, as one JSON object: unknown fields, those of the wrong type, amounts that were rounded."""
    known = ", ".join(f"'{name}'" for name in KNOWN)
    metadata_known = ", ".join(f"'{name}'" for name in METADATA_TEXTS.values())
    bad = "coalesce(problems, cast(array() as array<string>))"
    top = f"""map_filter(fields, (k, x) -> k not in ({known}) or array_contains({bad}, k)
      or (k = 'totalAmount' and exact_amount <> total_amount))"""
    below = f"map_filter(metadata, (k, x) -> k not in ({metadata_known}) or array_contains({bad}, concat('metadata.', k)))"
    whole_extra = f"""case when coalesce(size({below}), 0) > 0
      then map_concat({top}, map('metadata', to_variant_object({below}))) else {top} end"""
    more = f"{unknown('fields', KNOWN)} or {unknown('metadata', METADATA_TEXTS.values())}"
    # Nearly no event has any: that is found out by counting.
    return f"case when {more} or problems is not null or exact_amount <> total_amount then to_json({whole_extra}) end"


def unknown(fields, names):
    """Condition: a map has other keys than these."""
    known = " + ".join(f"int({fields}['{name}'] is not null)" for name in names)
    return f"coalesce(size({fields}), 0) > {known}"


# Fields of one event, characters of a name, and fields of one batch, that are told at most.
FIELDS_OF_EVENT, NAME_LENGTH, FIELDS_OF_BATCH = 100, 200, 500


def unknown_fields():
    """An aggregate: which fields the events of a batch have that no column holds. `named` reads what it gives.

    Only aggregates that do not depend on order may be observed, and a set is none. The join of the types of objects is: each event
    becomes an object whose keys name its fields.
    """
    known = ", ".join(f"'{name}'" for name in KNOWN)
    metadata_known = ", ".join(f"'{name}'" for name in METADATA_TEXTS.values())
    bad = "coalesce(problems, cast(array() as array<string>))"
    top = f"map_filter(fields, (k, x) -> k not in ({known}) or array_contains({bad}, k))"
    below = f"map_filter(metadata, (k, x) -> k not in ({metadata_known}) or array_contains({bad}, concat('metadata.', k)))"
    pairs = f"concat({pairs_of(top, '')}, coalesce({pairs_of(below, 'metadata.')}, array()))"
    keys = f"array_distinct(slice(array_compact({pairs}), 1, {FIELDS_OF_EVENT}))"
    fields = f"to_variant_object(map_from_entries(transform({keys}, key -> struct(concat('x', hex(key)), true))))"
    return f"schema_of_variant_agg(case when reason is null and extra is not null then {fields} end)"


def pairs_of(fields, prefix):
    """Name, tab and JSON's word for the type; null where the value is null, which tells no type."""
    spark_type = "regexp_extract(schema_of_variant(e.value), '^[A-Z]+', 0)"
    kind = f"""case {spark_type} when 'VOID' then null when 'STRING' then 'string' when 'BOOLEAN' then 'boolean' when 'OBJECT' then 'object'
      when 'ARRAY' then 'array' else 'number' end"""
    return f"transform(map_entries({fields}), e -> concat('{prefix}', left(e.key, {NAME_LENGTH}), '\\t', {kind}))"


def named(observed):
    """What `unknown_fields` gave, as sorted pairs of name and type."""
    keys = re.findall(r"\bx((?:[0-9A-F]{2})+)\b", observed or "")
    pairs = sorted(bytes.fromhex(key).decode().rsplit("\t", 1) for key in keys)
    return pairs[:FIELDS_OF_BATCH]
