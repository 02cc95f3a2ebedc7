"""Systems that an experiment can be done to."""
