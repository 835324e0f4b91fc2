"""Delivery of confirmed matches from the outbox to the outside."""
