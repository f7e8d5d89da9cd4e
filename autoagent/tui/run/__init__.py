"""One run as it goes: plan and proof, what it does, its files, what it costs; what a person does to it."""
