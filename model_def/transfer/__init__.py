"""Data sets on the move: `data coco`, `data put`, `data check` and `data cache`.

All of them do many small jobs in threads, show how far they are, stop at Ctrl-C with everything done so far kept, and
go on from there when they are started again.
"""
