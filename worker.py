"""The Celery application that `celery -A worker worker` finds.

Settings come from the workspace (current folder upwards, or DISTRIBUTOR_WORKSPACE).
"""

from __future__ import annotations

from distributor.config import load_here
from distributor.tasks import configure

app = configure(load_here())
