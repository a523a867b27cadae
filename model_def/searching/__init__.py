"""`search`: the `searcher` block of an experiment, run off a cluster on Ray Tune."""
