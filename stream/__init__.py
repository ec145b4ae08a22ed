"""The composition root: settings, roles, Kafka, command line; everything that has an effect starts here."""
