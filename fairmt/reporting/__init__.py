"""Tables, figures, claims and the report of a suite, from its metrics alone."""
