"""Import of many entries at once: a table and a folder of pictures become requests, all of them or none."""
