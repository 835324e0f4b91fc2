"""One file per noun: parse, call, convert."""
