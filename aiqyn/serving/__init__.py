"""The processes of `aiqyn serve`: the first does everything, further ones answer requests."""
