"""Which equal graph is computed, so that nothing overflows, underflows or cancels that need not."""
