"""Raw scores in, expected false alarms a day and decisions out."""
