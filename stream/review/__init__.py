"""The whole pipeline on files, or on a stretch of the topics, without roles: the alerts that would have been sent."""
