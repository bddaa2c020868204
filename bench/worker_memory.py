"""Memory of the largest worker process for a small and a large list, as a ratio.

python bench/worker_memory.py [SMALL LARGE]
"""

from __future__ import annotations

import sys

from end_to_end import run


def main() -> None:
    small, large = (int(n) for n in sys.argv[1:3]) if sys.argv[2:] else (1000, 100_000)
    found = {count: run(count)["largest_process_mb"] for count in (small, large)}
    for count, megabytes in found.items():
        print(f"{count:>10,} recipients {megabytes:8.1f} MB")
    print(f"ratio {found[large] / found[small]:.3f}")


if __name__ == "__main__":
    main()
