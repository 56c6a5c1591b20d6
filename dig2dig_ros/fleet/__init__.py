"""Work on many cores and machines: Ray starts the workers, gives them work and replaces the dead.

What is here says what a piece of work is (`scenes`, `bags`, `measures`, `cells`), and which pieces
are done (`journal`). docs/cluster.md has the use of it.
"""
