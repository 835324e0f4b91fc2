"""Judgements: the state machine, lists, deployments, controls. No HTTP and no SQL."""
