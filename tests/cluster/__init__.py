"""A stand-in for a Determined 0.38.1 cluster: a master and an agent in one process, for tests and for trying things.

It speaks the protocol of the platform: the real `det` command line and SDK create, follow and steer experiments on it,
and the real harness of the installed package runs in real processes of this machine. It is none of the platform's code
and no container engine: trials run in the environment that runs it (Linux namespaces give each one its own /run, /tmp
and processes), and nothing outlives it.

    python -m tests.cluster            # then, in another terminal: export DET_MASTER=…, as it says

    master.py        experiments, trials and what happens to them      records.py   what is kept of them
    container.py     runs containers                                    entrypoint.sh  what happens in one
    search.py  asha.py      which trials a search has                   config.py    what a configuration says
    policies.py      what a line of a log makes the master do           collection.py  checkpoints that are not kept
    server.py  answers.py   requests and answers                        told.py      records in the protocol's types
    accounts.py  experiments.py  trials.py  allocations.py  checkpoints.py  detached.py   the endpoints

A request that it does not know is answered with 404 and kept in `Master.unknown`: a test looks that there is none.
"""
