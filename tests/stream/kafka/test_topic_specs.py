"""Names and settings of topics."""

from stream.kafka.topic_specs import MAX_MESSAGE_BYTES, Topics


def test_every_name_has_the_prefix_and_a_spec() -> None:
    """No topic is forgotten in the table that creates them."""
    topics = Topics("cloud7.")
    names = {getattr(topics, name) for name, kind in vars(Topics).items() if isinstance(kind, property)}
    assert names == {spec.name for spec in topics.specs()}
    assert len(names) == 11
    assert all(name.startswith("cloud7.") for name in names)


def test_names_are_understood_with_and_without_the_prefix() -> None:
    """People type ``logs.raw`` as well as ``tocsin.logs.raw``."""
    assert Topics().name("logs.raw") == Topics().name("tocsin.logs.raw") == "tocsin.logs.raw"


def test_only_the_topics_that_carry_the_load_have_many_partitions() -> None:
    """The others give their readers one order of everything."""
    topics = Topics()
    wide = {spec.name for spec in topics.specs(partitions=12) if spec.partitions == 12}
    assert wide == {topics.logs_raw, topics.logs_events}


def test_state_is_compacted_and_flows_are_deleted_by_the_brokers_clock() -> None:
    """Whatever time a shipper claims, retention follows the time of arrival."""
    topics = Topics()
    compacted = {spec.name for spec in topics.specs() if spec.cleanup == "compact"}
    assert compacted == {topics.templates, topics.incidents, topics.feedback, topics.models}
    for spec in topics.specs():
        configs = spec.all_configs()
        assert configs["cleanup.policy"] == spec.cleanup
        assert configs["max.message.bytes"] == str(MAX_MESSAGE_BYTES)
        if spec.cleanup == "delete":
            assert configs["message.timestamp.type"] == "LogAppendTime"
            assert int(configs["segment.ms"]) * 4 <= int(configs["retention.ms"])
