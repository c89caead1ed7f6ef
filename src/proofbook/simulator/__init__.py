"""The whole venue from one seed: workloads, adversaries and, later, faults.

In   a seed.
Out  entries as a sequencer could post them, honest or hostile, the same for the same seed.
"""
