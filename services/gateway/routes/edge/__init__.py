"""The outermost layer: whatever comes in is bounded, counted, traced, measured, and answered."""
