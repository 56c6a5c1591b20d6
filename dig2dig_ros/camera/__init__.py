"""From camera images to what the engine takes: encodings, gain, registration, pairing."""
