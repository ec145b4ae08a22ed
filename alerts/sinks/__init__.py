"""Where alerts go: one file a service, pure; ``transport`` alone touches network and files."""
