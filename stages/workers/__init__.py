"""Workers: parser processes, which use other cores and can be stopped.

shared_buffers  memory that this process shares with a parser process, for the bodies it is to read.
wire            what two processes say to each other, and how what was read in a document travels.
worker_main     the program of a parser process. Reads documents from a socket, writes what it read in t
worker_pool     parser processes, for what a thread cannot do: use another core, be stopped, be bounded.
worker_process  one parser process, as seen from here, and the documents that it has in hand.
worker_queue    parser processes that share limits, and the documents that wait for them.
"""
