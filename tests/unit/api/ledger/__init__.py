"""Tests of the ledger and its receipts."""
