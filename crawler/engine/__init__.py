"""Engine: the worker pools, their queues and the memory that bodies may take.

body_budget  budgets of bytes, for all bodies under way and for all that was read in them.
engine       the flow. Joins the pools by their inboxes, feeds the first, sends all home in order.
malloc       which freed memory the C library keeps, and which goes back to the system.
pool         the workers of one stage and their inbox. The project's only worker loop.
"""
