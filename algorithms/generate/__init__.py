"""Continue prompts with a language model, in batches: sampling, beams, stop strings, chat."""
