"""The demonstration: node and cameras as processes, a listener, a report."""
