"""What a checkpoint holds: the state of the Runner and of each process, as data that runs no code when it is loaded."""
