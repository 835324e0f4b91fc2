"""The append-only record, receipts and their stand-alone verifier."""
