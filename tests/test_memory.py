"""Sampling holds one batch at a time, whatever its budget."""

import subprocess
import sys

# In a process of its own: a peak that other tests have set would hide any growth.
PEAKS = """
import resource, workbench as wb
problem = wb.load("E_plane_1e-8")
for draws in (200_000, 4_000_000):
    found = wb.MonteCarlo()(problem, draws)
    assert found.info["draws"] == draws
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
KIB_A_DRAW = 16 / 1024  # two coordinates in double precision


def test_twenty_times_the_draws_take_no_more_memory():
    """The draws kept would be 59 MiB more; 16 MiB are left to the allocator."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    few, many = map(int, done.stdout.split())
    assert KIB_A_DRAW * 3_800_000 > 3 * 16 * 1024
    assert many - few < 16 * 1024
