"""What a person sees while a detector trains: the plan, a progress line, a table of validations, a summary."""
