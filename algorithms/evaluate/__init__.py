"""The usual metrics of one model or several, side by side, on random samples or on prompts."""
