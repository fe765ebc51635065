"""From a run folder to what is shown of it."""
