"""What train, evaluate and generate share: command line, inputs, ranks, scoring, reports."""
