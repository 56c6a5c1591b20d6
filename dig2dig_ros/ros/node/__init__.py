"""The fusion node: callbacks on one thread, everything that takes time on another."""
