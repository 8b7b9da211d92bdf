"""What a receiver writes of what it received: pictures and reports. No GNU Radio."""
