"""Running things: sessions, the wire contract, the bus, evidence."""
