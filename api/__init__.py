"""HTTP and everything an operator decides."""
