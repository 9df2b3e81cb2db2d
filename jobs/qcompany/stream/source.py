"""The topic: what the broker says of it, and where a stream goes on."""

import json

from py4j.protocol import Py4JJavaError

# Above it Spark's own patience with a broker that is restarted.
ANSWER_MS = 30_000


# Between two looks at what the topic has.
LOOK_SECONDS = 1


# How Spark's Kafka source, or this job, says that offsets are not there any more.
SIGNS_OF_LOSS = ("KAFKA_DATA_LOSS", "Some data may have been lost", "OffsetOutOfRange", "UnknownTopicOrPartition", "TopicChanged")


# How Kafka's client says that it may not come in.
SIGNS_OF_REFUSAL = ("SaslAuthentication", "SslAuthentication", "UnsupportedSaslMechanism", "AuthorizationException")


class TopicChanged(Exception):
    """The topic was deleted and created anew while a batch was read."""


class Topic:
    """What a broker says of one topic."""

    def __init__(self, spark, cluster, name):
        self._jvm = spark._jvm
        self._cluster = cluster
        self._servers = cluster["bootstrap.servers"]
        self.name = name

    def describe(self):
        """{"id": …, "earliest": {partition: offset}, "latest": {…}}. Ends the job with a code when the broker or the topic is not there."""
        properties = self._jvm.java.util.Properties()
        for setting, value in self._cluster.items():
            properties.setProperty(setting, value)
        properties.setProperty("default.api.timeout.ms", str(ANSWER_MS))
        properties.setProperty("request.timeout.ms", str(ANSWER_MS // 2))
        admin = self._jvm.org.apache.kafka.clients.admin.AdminClient.create(properties)
        try:
            topics = self._jvm.java.util.Collections.singletonList(self.name)
            description = admin.describeTopics(topics).allTopicNames().get().get(self.name)
            partitions = [description.partitions().get(at).partition() for at in range(description.partitions().size())]
            spec = self._jvm.org.apache.kafka.clients.admin.OffsetSpec
            earliest = self._offsets(admin, partitions, spec.earliest())
            return {"id": description.topicId().toString(), "earliest": earliest, "latest": self._offsets(admin, partitions, spec.latest())}
        except Py4JJavaError as error:
            raise self._explained(str(error.java_exception)) from None
        finally:
            admin.close(self._jvm.java.time.Duration.ofSeconds(5))

    def _offsets(self, admin, partitions, spec):
        asked = {self._jvm.org.apache.kafka.common.TopicPartition(self.name, partition): spec for partition in partitions}
        request = self._jvm.java.util.HashMap()
        for partition, wanted in asked.items():
            request.put(partition, wanted)
        answer = admin.listOffsets(request).all().get()
        return {partition.partition(): answer.get(partition).offset() for partition in asked}

    def _explained(self, message):
        if "UnknownTopicOrPartition" in message:
            return SystemExit(
                f"KAFKA_TOPIC_MISSING: there is no topic {self.name}. Create it, or correct the name; what was read of it is kept."
            )
        if any(sign in message for sign in SIGNS_OF_REFUSAL):
            return SystemExit(f"KAFKA_DENIED: {self._servers} refuses ({message}). Correct user, password and certificates of the connection.")
        return SystemExit(f"KAFKA_UNREACHABLE: {self._servers} does not answer ({message}). Start the broker, or correct the address.")


def gaps(done, topic):
    """What is lost between the offsets that were read (`done`: {"topicId", "until"}) and those that the broker has."""
    if done["topicId"] != topic["id"]:
        return [
            {"partition": int(partition), "from": until, "until": None, "why": "the topic was deleted and created anew"}
            for partition, until in done["until"].items()
        ]
    lost = []
    for partition, until in done["until"].items():
        earliest, latest = topic["earliest"].get(int(partition)), topic["latest"].get(int(partition))
        if earliest is None:
            lost.append({"partition": int(partition), "from": until, "until": None, "why": "the partition is gone"})
        elif earliest > until:
            lost.append({"partition": int(partition), "from": until, "until": earliest, "why": "removed before they were read"})
        elif latest < until:
            lost.append({"partition": int(partition), "from": latest, "until": until, "why": "the broker has lost what it had"})
    return lost


def described(lost):
    """Gaps in words."""
    return "; ".join(f"partition {one['partition']} from offset {one['from']}, {one['why']}" for one in lost)


def resume(done, topic, fresh):
    """Where to begin, by partition: after what was read; at the beginning of what is new. `fresh` = where nothing was read: earliest or latest."""
    if done is None:
        return dict(topic[fresh])
    same = done["topicId"] == topic["id"]
    begin = {}
    for partition, earliest in topic["earliest"].items():
        until = done["until"].get(str(partition)) if same else None
        begin[partition] = earliest if until is None else min(max(until, earliest), topic["latest"][partition])
    return begin


def cluster_of(servers, config):
    """Settings of Kafka's client: the brokers, and whatever else the file `config` has, as JSON."""
    if not config:
        return {"bootstrap.servers": servers}
    with open(config) as file:
        return {**json.load(file), **({"bootstrap.servers": servers} if servers else {})}


def messages(spark, cluster, name, begin, most, every):
    """The stream of messages. It fails, rather than going on, when the broker lacks what it should have.

    A batch waits `every` seconds (None = not at all) after the one before, unless there are `most` messages for it.
    """
    offsets = json.dumps({name: {str(partition): offset for partition, offset in begin.items()}})
    source = spark.readStream.format("kafka").options(**{f"kafka.{setting}": value for setting, value in cluster.items()})
    source = source.option("subscribe", name)
    source = source.option("startingOffsets", offsets).option("maxOffsetsPerTrigger", most)
    if every is not None:
        source = source.option("minOffsetsPerTrigger", most).option("maxTriggerDelay", f"{round(every * 1000)}ms")
    return source.option("failOnDataLoss", "true").load().withColumnRenamed("timestamp", "kafka_time")


def trigger(every):
    """How a query over `messages` is started: it looks often, and the source holds back what is to wait. None = it ends with what is there."""
    return {"availableNow": True} if every is None else {"processingTime": f"{min(LOOK_SECONDS, every)} seconds"}
