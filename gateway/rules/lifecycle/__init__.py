"""The state machines, each one total table: `notice` and `ticket`."""
