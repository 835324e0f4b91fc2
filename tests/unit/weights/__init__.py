"""Tests of the weights room: real packages in local folders, real files, real processes."""
