"""What the pipelines do with programs of the machine's own: servers that are killed, stopped and started again."""
