"""Image quality, benchmarks and studies of the fusion."""
