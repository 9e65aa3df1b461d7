"""FairMT's four parts: cells and their means, aggregation, the multiplier, the head-aware proxy."""
