"""Workers: parser processes. They use other cores, have limits, and can be stopped.

wire            messages between two processes, and the memory that they share for bodies
worker_main     the program of a parser process
worker_pool     the parser processes of a crawl, and the documents that wait for them
worker_process  one parser process as seen from here, and the documents assigned to it
"""
