"""Engine: the worker pools, their queues, and the memory that bodies may take.

body_budget  one bound on the bytes of all bodies in memory, and of what was read in them
engine       the flow: connects the pools by their inboxes, feeds the first, stops all in order
malloc       which freed memory the C library keeps, and which goes back to the system
open_files   how many sockets this process may have
pool         the workers of one stage, their inbox and their figures; the only worker loop
"""
