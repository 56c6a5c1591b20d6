"""The sub-commands of the `dig2dig` command, one module each."""
