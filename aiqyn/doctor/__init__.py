"""What this machine has and lacks for Aiqyn; every check says what would mend it."""
