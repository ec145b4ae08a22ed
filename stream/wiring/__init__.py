"""Settings in, the parts that roles and commands are made of out."""
