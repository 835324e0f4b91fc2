"""One self-contained HTML page for a run of any `evaluate` command: figures, plots and the worst cases."""
