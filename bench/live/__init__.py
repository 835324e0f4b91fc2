"""Live cameras under load and under attack: a whole site of real processes, and the footage it looks at."""
