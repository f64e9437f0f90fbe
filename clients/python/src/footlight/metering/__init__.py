"""The metering half of an engine that runs on your own machines.

`clock` decides (pure: time is an argument, nothing is sent or written), `record` remembers on disk, `exchange` says
what is sent, `meter` puts the three together, and `engine` and `async_engine` carry it out.
"""
