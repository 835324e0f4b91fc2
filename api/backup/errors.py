"""What goes wrong with backups.

BackupError                 nothing was written, or nothing was restored
"""

from __future__ import annotations


class BackupError(Exception):
    """A backup that was not made, or was not restored: it is not whole, not ours, or there is no room for it."""
