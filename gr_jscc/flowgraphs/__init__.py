"""Ways that pictures take: the textbook channel, a simulated link, two hosts."""
