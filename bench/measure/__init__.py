"""What `bench/run` is made of.

machine  programs, processors, processes that end with the run, the conditions of any figure
servers  what is measured: how each is started, and how the load generator reaches it
shapes   which loads, on which servers, and the goals
rounds   runs them in turns
results  medians and ratios
report   the page
plot     the picture
"""
